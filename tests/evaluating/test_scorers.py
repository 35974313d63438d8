"""What each scorer lets pass, and what not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.serving.evaluating.case import Case, Wanted
from crewgraph.serving.evaluating.choosing import make_scorer, parse_wanted, scorers_of
from crewgraph.serving.evaluating.score import Observed, Score
from crewgraph.serving.evaluating.scorers.meaning import shared_words
from crewgraph.serving.evaluating.scorers.texts import alike, normal

from .conftest import Words, case, seen


async def score(name: str, of: Case, observed: Observed, bench: Words, **options: Any) -> Score:
    scorer = make_scorer(Wanted(name=name, options=options))
    assert scorer.fits(of)
    return await scorer.score(of, observed, bench)


@pytest.mark.parametrize(
    ("expected", "answer", "passes"),
    [
        ("Paris", " paris. ", True),
        ("Paris", "It is Paris.", False),
        ("1,234 km", "1234 km", True),
        ("63.2%", "６３.２％", True),
        ("about 3.0 m", "about 3 m", True),
        ("3 apples", "4 apples", False),
        ("3 apples", "3 pears", False),
        (3, "3", True),
        (3, "3.0000001", True),
        (3, "-3", False),
        (1234, "1,234", True),
        (3, "three", False),
        (True, "true", True),
        (True, "1", False),
        ([1, 2], "[1, 2.0]", True),
        ([1, 2], "[2, 1]", False),
        ({"a": "X"}, '{"a": "x"}', True),
        ({"a": "X"}, '{"a": "x", "b": 1}', False),
    ],
)
async def test_exact_is_the_same_but_for_writing_and_rounding(
    expected: Any, answer: str, passes: bool, bench: Words
) -> None:
    assert (await score("exact", case(expected=expected), seen(answer), bench)).passed is passes


async def test_exact_takes_the_typed_value_where_the_answer_is_a_sentence(bench: Words) -> None:
    assert (await score("exact", case(expected=3), seen("There are three.", value=3), bench)).passed


async def test_the_tolerance_is_the_askers(bench: Words) -> None:
    found = await score("exact", case(expected=100), seen("101"), bench, tolerance=0.02)
    assert found.passed
    assert not (await score("exact", case(expected=100), seen("103"), bench, tolerance=0.02)).passed


@pytest.mark.parametrize(
    ("expected", "answer", "value"),
    [
        ("Paris", "The capital is Paris, of course.", 1.0),
        ("no", "I know.", 0.0),
        (12, "There are 112.", 0.0),
        (12, "There are 12.0 of them", 1.0),
        (1234567, "1,234,567 people", 1.0),
        (["pen", 12.5], "The pen is 12.5 EUR", 1.0),
        (["pen", 13], "The pen is 12.5 EUR", 0.5),
        ("东京", "日本的首都是东京。", 1.0),
        ("Tokyo", "首都Tokyo。", 1.0),
    ],
)
async def test_contains_looks_for_whole_words_and_whole_numbers(
    expected: Any, answer: str, value: float, bench: Words
) -> None:
    found = await score("contains", case(expected=expected), seen(answer), bench)
    assert found.value == value
    assert found.passed is (value == 1)


async def test_a_pattern_is_looked_for_in_the_answer_as_it_stands(bench: Words) -> None:
    of = case(expected=r"^P\w+s$")
    assert (await score("regex", of, seen("Paris"), bench)).passed
    assert not (await score("regex", of, seen("paris"), bench)).passed
    assert (await score("regex", of, seen("paris"), bench, ignore_case=True)).passed


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("answer", "value", "said"),
    [
        ('{"n": 1}', None, ""),
        ('```json\n{"n": 1}\n```', None, ""),
        ("One.", {"n": 1}, ""),
        ("One.", None, "no JSON"),
        ('{"n": "one"}', None, "answer.n: 'one'"),
        ("One.", {"n": "one"}, "value.n: 'one'"),
    ],
)
async def test_the_schema_is_of_the_answer_or_of_its_value(
    answer: str, value: Any, said: str, bench: Words
) -> None:
    found = await score("schema", case(schema=SCHEMA), seen(answer, value=value), bench)
    assert found.passed is (said == "")
    assert said in found.why


async def test_meaning_without_a_model_is_by_words_and_says_so(bench: Words) -> None:
    found = await score("semantic", case(expected="a red van"), seen("the van is red"), bench)
    assert found.by == "words"
    assert found.value is not None
    assert 0.5 < found.value < 1


MINE = """
def half(case, observed):
    return 0.5

async def asked(case, observed):
    return observed.answer == case.expected

def broken(case, observed):
    raise RuntimeError("no idea")

def wild(case, observed):
    return 7

def nothing(case, observed):
    return None
"""


async def test_a_scorer_of_ones_own_gives_a_number_or_a_truth_value(tmp_path: Path, bench: Words) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    found = {
        name: await score(f"{tmp_path}/mine.py:{name}", case(expected="x"), seen("x"), bench)
        for name in ("half", "asked", "broken", "wild", "nothing")
    }
    assert (found["half"].value, found["half"].passed) == (0.5, True)
    assert (found["asked"].value, found["asked"].passed) == (1.0, True)
    assert "no idea" in found["broken"].why
    assert "7" in found["wild"].why
    assert [found[name].value for name in ("broken", "wild", "nothing")] == [None, None, None]


def test_a_case_has_its_own_scorers_and_those_that_follow_from_what_it_says() -> None:
    def names(*asked: str, **told: Any) -> set[str]:
        return {one.label for one in scorers_of(case(**told), [parse_wanted(a) for a in asked])}

    assert names() == set()
    assert names(expected="x") == {"exact"}
    assert names(expected="x", scorers=["contains"]) == {"contains"}
    assert names(expected="x", tools=["a"], judge="good", schema={}) == {
        "exact",
        "trajectory",
        "judge",
        "schema",
    }
    assert names("semantic", expected="x", tools=["a"]) == {"semantic"}
    assert names("semantic", expected="x", scorers=["contains"]) == {"contains", "semantic"}
    assert names("trajectory", expected="x") == set()


def test_a_score_is_of_a_scorer_with_its_options() -> None:
    (one,) = scorers_of(case(expected="x"), [parse_wanted("semantic,threshold=0.7")])
    (other,) = scorers_of(case(expected="x"), [parse_wanted("semantic,threshold=0.8")])
    assert one.of != other.of
    assert one.settled(Score(value=1, of=one.of))
    assert not one.settled(Score(value=1, of=other.of))
    assert not one.settled(Score(of=one.of)), "no judgement is none: it is asked for again"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_being_alike_holds_of_a_thing_and_itself_and_both_ways(one: Any, other: Any) -> None:
    assert alike(one, one)
    assert alike(one, other) == alike(other, one)


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_shared_words_are_a_part_from_0_to_1_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= shared_words(one, other) == shared_words(other, one) <= 1
