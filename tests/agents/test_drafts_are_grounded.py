"""A model's sentence stands in an answer only where one piece of evidence bears it out."""

from __future__ import annotations

import pytest

from crewgraph.agents.grounding import check, numbers

FACTS = [
    "Brass: melting point 930 °C [metals.csv]",
    "Lead: melting point 327.46 °C [metals.csv]",
    "Anvils. An anvil is a block of iron on which hot metal is hammered into shape by a smith.",
]
REQUEST = "Tell me about brass, lead and anvils."


def kept(draft: str, request: str = REQUEST, units: list[str] | None = None) -> list[str]:
    return list(check(draft, FACTS if units is None else units, request=request).kept)


@pytest.mark.parametrize(
    "draft",
    [
        "The melting point of brass is 930 °C.",
        "Lead melts at a melting point of 327.46 °C.",
        "An anvil is a block of iron.",
        "Hot metal is hammered into shape by a smith on an anvil.",
    ],
)
def test_what_one_piece_of_evidence_says_is_kept(draft: str) -> None:
    assert kept(draft) == [draft]


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        ("The melting point of lead is 930 °C.", "it pairs the figure of one thing with the name of another"),
        ("Brass and lead have a melting point of 930 °C.", "it joins two things"),
        ("The melting point of brass is 931 °C.", "the figure is nowhere"),
        ("The melting point of brass is 9300 °C.", "the figure is another"),
        ("An anvil is not a block of iron.", "it denies"),
        ("An anvil isn't a block of iron.", "it denies"),
        ("The melting point of brass is higher, 930 °C.", "it compares where the evidence does not"),
        ("Tell me about brass, lead and anvils.", "it restates the request"),
        ("Brass is wonderful.", "it says something of its own"),
        (
            "An anvil is a block of iron that was invented by the ancient Egyptians long ago.",
            "it adds claims",
        ),
        ("The melting point of brass is 930", "it is broken off"),
        ("黄铜的熔点是930摄氏度。", "it is in another language than the request"),
    ],
)
def test_everything_else_is_dropped(draft: str, why: str) -> None:
    assert kept(draft) == [], why


def test_good_sentences_stay_when_bad_ones_go() -> None:
    draft = "The melting point of brass is 930 °C. The melting point of lead is 930 °C. An anvil is a block of iron."
    found = check(draft, FACTS, request=REQUEST)
    assert found.kept == ("The melting point of brass is 930 °C.", "An anvil is a block of iron.")
    assert found.dropped == ("The melting point of lead is 930 °C.",)


def test_a_comparison_stands_only_where_the_evidence_compares() -> None:
    units = ["Brass has the higher melting point: 930 °C against 327.46 °C for lead."]
    request = "Compare brass and lead."
    right = "Brass has the higher melting point, 930 °C."
    assert kept(right, request, units) == [right]
    assert kept("Brass has the lower melting point, 930 °C.", request, units) == []


def test_chinese_drafts_are_held_to_the_same() -> None:
    units = ["黄铜：熔点 930 °C [metals.csv]", "铅：熔点 327.46 °C [metals.csv]"]
    request = "黄铜和铅的熔点是多少？"
    right = "黄铜的熔点是930 °C。"
    assert kept(right, request, units) == [right]
    assert kept("黄铜的熔点是931 °C。", request, units) == []
    assert kept("铅的熔点是930 °C。", request, units) == []
    assert kept("The melting point is 930 °C.", request, units) == []


def test_no_draft_and_no_evidence_keep_nothing() -> None:
    assert kept("") == []
    assert kept("Brass melts at 930 °C.", units=[]) == []


def test_a_sentence_said_twice_is_kept_once() -> None:
    assert kept("An anvil is a block of iron. An anvil is a block of iron.") == [
        "An anvil is a block of iron."
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234.50 and 7", {"1234.5", "7"}),
        ("人口为82,927,922人", {"82927922"}),
        ("version2 of B52", set()),
        ("3.0 or 3", {"3"}),
        ("０．５", {"0.5"}),
    ],
)
def test_numbers_are_compared_in_one_form(text: str, found: set[str]) -> None:
    assert numbers(text) == found
