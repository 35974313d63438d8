"""Which values of a tool's parameters a request speaks of."""

from __future__ import annotations

import pytest

from crewgraph.planner.reading.known.mentions import Mention, find
from crewgraph.planner.reading.reading import Reading
from crewgraph.tools.tool import Option

PLACES = (
    Option("America", ("美国", "US")),
    Option("South America", ("南美洲", "South American")),
    Option("Guinea"),
    Option("Guinea-Bissau"),
    Option("Papua New Guinea"),
    Option("India", ("印度",)),
    Option("Indonesia", ("印度尼西亚", "印尼")),
    Option("Niger"),
    Option("Nigeria"),
    Option("Ireland", ("IE",)),
    Option("Côte d’Ivoire", ("科特迪瓦",)),
    Option("Isle", ("He", "IT")),
    Option("Togo"),
)
FIGURES = (
    Option("weight_kg", ("weight", "重量"), "how heavy a thing is"),
    Option("price", ("价格",), "what it costs"),
    Option("maker", (), "the company that made it"),
)


def named(request: str) -> list[str]:
    return [m.value for m in mentions(request) if m.named]


def mentions(request: str, options: tuple[Option, ...] = PLACES) -> list[Mention]:
    return find({("t", "p"): options}, Reading(request))["t", "p"]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("Which country in South America is largest?", ["South America"]),
        ("South America and America", ["South America", "America"]),
        ("Is Guinea-Bissau in Papua New Guinea?", ["Guinea-Bissau", "Papua New Guinea"]),
        ("Guinea or Guinea-Bissau", ["Guinea", "Guinea-Bissau"]),
        ("Niger and Nigeria", ["Niger", "Nigeria"]),
        ("印度尼西亚和印度", ["Indonesia", "India"]),
        ("印度", ["India"]),
        ("south american rivers", ["South America"]),
        ("INDIA, india and India", ["India"]),
        ("India's and Ireland’s flags", ["India", "Ireland"]),
        ("Cote d'Ivoire or Côte d’Ivoire", ["Côte d’Ivoire"]),
        ("Indiana and Irish", []),
    ],
)
def test_the_longest_name_wins_in_the_order_it_is_said(request_: str, wanted: list[str]) -> None:
    assert named(request_) == wanted


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("tell us about it", []),
        ("the US and IE", ["America", "Ireland"]),
        ("the US's rivers", ["America"]),
        ("i.e. he said it", []),
        ("He is here", []),
    ],
)
def test_short_names_in_capitals_count_only_as_they_are_written(request_: str, wanted: list[str]) -> None:
    found = named(request_)
    assert [f for f in found if f != "Isle"] == wanted


@pytest.mark.parametrize("request_", ["pen", "Pen", "two pens", "the PEN"])
def test_short_names_in_small_letters_count_in_any_form(request_: str) -> None:
    assert [m.value for m in mentions(request_, (Option("pen"), Option("ink")))] == ["pen"]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("What is the weight of lead?", ["weight_kg"]),
        ("Which is the heaviest?", ["weight_kg"]),
        ("How expensive is it?", ["price"]),
        ("它有多重？", ["weight_kg"]),
        ("Who is the manufacturer?", ["maker"]),
        ("weight and price, please", ["weight_kg", "price"]),
        ("What colour is it?", []),
    ],
)
def test_a_few_values_are_also_meant_by_what_they_are_about(request_: str, wanted: list[str]) -> None:
    assert [m.value for m in mentions(request_, FIGURES)] == wanted


def test_names_of_another_parameter_hide_shorter_ones() -> None:
    options = {("t", "thing"): (Option("Orange County"),), ("t", "colour"): (Option("orange"), Option("red"))}
    found = find(options, Reading("How red is Orange County?"))
    assert [m.value for m in found["t", "thing"]] == ["Orange County"]
    assert [m.value for m in found["t", "colour"]] == ["red"]
