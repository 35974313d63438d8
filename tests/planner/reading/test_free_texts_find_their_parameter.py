"""What a request says reaches the parameter that it is said of: texts, numbers, days, lists, yes and no, in both languages."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from crewgraph import Tool, tool
from crewgraph.planner.reading.filling.dates import clocks, days
from crewgraph.planner.reading.filling.filling import candidates, fill
from crewgraph.planner.reading.filling.phrases import phrases
from crewgraph.planner.reading.reading import Reading


class Party(BaseModel):
    """Who comes."""

    adults: int
    children: int | None = None


@tool
def rectangle(length: float, breadth: float) -> float:
    """Calculate the area of a rectangle.

    Args:
        length: The length of the rectangle.
        breadth: The breadth of the rectangle.
    """
    return length * breadth


@tool
def circle(radius: float, unit: str = "cm") -> float:
    """Calculate the area of a circle (圆的面积).

    Args:
        radius: The radius of the circle (半径).
        unit: The unit of the result.
    """
    return 3.14 * radius * radius


@tool
def train(
    origin: str, destination: str, date: str, seat: Literal["first class", "second class"] = "second class"
) -> str:
    """Find a train between two cities.

    Args:
        origin: The city where the journey begins.
        destination: The city where it ends.
        date: The day of the journey, in the format YYYY-MM-DD.
        seat: The class.
    """
    return ""


@tool
def forecast(city: str, days: int = 1, include_wind: bool = False) -> str:
    """The weather forecast for a city.

    Args:
        city: The city.
        days: For how many days.
        include_wind: Whether the wind is told too.
    """
    return ""


@tool
def meeting(title: str, participants: list[str]) -> str:
    """Plan a meeting.

    Args:
        title: The title of the meeting.
        participants: Who takes part.
    """
    return ""


@tool
def table(restaurant: str, party: Party) -> str:
    """Book a table.

    Args:
        restaurant: The name of the restaurant.
        party: How many people come.
    """
    return ""


@tool
def loan(amount: int, rate: float) -> float:
    """Work out the interest on a loan.

    Args:
        amount: How much is lent.
        rate: The yearly rate as a decimal.
    """
    return amount * rate


def said(of: Tool, request: str) -> list[dict[str, Any]]:
    reading = Reading(request)
    found = fill(of, reading, (0, len(reading.text)), phrases(reading, reading.words_of.verbs))
    return [dict(call) for call in found.calls] if not found.missing else []


@pytest.mark.parametrize(
    ("of", "request_", "wanted"),
    [
        (rectangle, "A rectangle with a length of 7 and a breadth of 3", {"length": 7, "breadth": 3}),
        (rectangle, "breadth: 3, length: 7", {"length": 7, "breadth": 3}),
        (rectangle, "a rectangle of length 7 m and breadth 3 m, please", {"length": 7, "breadth": 3}),
        (circle, "the area of a circle with radius 5", {"radius": 5}),
        (circle, "半径为5的圆", {"radius": 5}),
        (
            train,
            "a train from Ghent to Basle on March 5, 2026",
            {"origin": "Ghent", "destination": "Basle", "date": "2026-03-05"},
        ),
        (
            train,
            "to Basle on 5 March 2026 from Ghent, first class",
            {"origin": "Ghent", "destination": "Basle", "date": "2026-03-05", "seat": "first class"},
        ),
        (forecast, "the weather in Oslo for the next 3 days", {"city": "Oslo", "days": 3}),
        (forecast, "the weather in Oslo, include the wind", {"city": "Oslo", "include_wind": True}),
        (forecast, "the weather in Oslo without wind, do not include it", {"city": "Oslo"}),
        (
            meeting,
            'a meeting titled "Autumn plans" with Ada, Grace and Li Lei',
            {"title": "Autumn plans", "participants": ["Ada", "Grace", "Li Lei"]},
        ),
        (
            table,
            "a table at Chez Nous for 2 adults and 3 children",
            {"restaurant": "Chez Nous", "party": {"adults": 2, "children": 3}},
        ),
        (loan, "the interest on a loan of $2,000 at a rate of 4%", {"amount": 2000, "rate": 0.04}),
    ],
)
def test_each_value_goes_where_it_was_said(of: Tool, request_: str, wanted: dict[str, Any]) -> None:
    found = said(of, request_)
    assert [{n: v for n, v in call.items() if v is not False} for call in found] == [wanted]


@pytest.mark.parametrize(
    ("of", "request_", "name", "wanted"),
    [
        (forecast, "the weather in Oslo, Ghent and Basle", "city", ["Oslo", "Ghent", "Basle"]),
        (circle, "the area of circles with radius 3 and 5", "radius", [3, 5]),
    ],
)
def test_several_subjects_are_several_calls(of: Tool, request_: str, name: str, wanted: list[Any]) -> None:
    assert [call[name] for call in said(of, request_)] == wanted


def test_what_is_not_said_is_missing_and_not_made_up() -> None:
    assert said(rectangle, "the area of a rectangle") == []
    assert said(train, "a train from Ghent to Basle") == []
    assert "unit" not in said(circle, "the area of a circle with radius 5")[0]


@pytest.mark.parametrize(
    ("text", "form", "wanted"),
    [
        ("on 2026-03-05", "YYYY-MM-DD", "2026-03-05"),
        ("on March 5th, 2026", "DD/MM/YYYY", "05/03/2026"),
        ("the 5th of March 2026", "MM-DD-YYYY", "03-05-2026"),
        ("2026年3月5日", "YYYY-MM-DD", "2026-03-05"),
        ("on March 5", "YYYY-MM-DD", "March 5"),
        ("on 3/5/2026", "", "3/5/2026"),
        ("tomorrow", "YYYY-MM-DD", "tomorrow"),
        ("明天", "YYYY-MM-DD", "明天"),
    ],
)
def test_days_are_written_as_asked_for_where_enough_is_known(text: str, form: str, wanted: str) -> None:
    assert [day.written(form) for day in days(text)] == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("at 9:30", "09:30"), ("at 7 pm", "19:00"), ("at 12 a.m.", "00:00"), ("下午3点半", "15:30")],
)
def test_times_of_day(text: str, wanted: str) -> None:
    assert [clock.written("HH:MM") for clock in clocks(text)] == [wanted]


def test_candidates_hold_what_the_rules_take_first_and_all_that_is_enumerated() -> None:
    found = candidates(train, "a train from Ghent to Basle on March 5, 2026")
    assert found["origin"][0] == "Ghent"
    assert "Basle" in found["origin"]
    assert found["date"][0] == "2026-03-05"
    assert sorted(found["seat"]) == ["first class", "second class"]


@given(st.text(max_size=120))
def test_any_text_can_be_read_and_what_is_filled_in_is_valid(text: str) -> None:
    reading = Reading(text)
    found = phrases(reading, reading.words_of.verbs)
    assert all(0 <= p.span[0] < p.span[1] <= len(reading.text) for p in found)
    for of in (rectangle, train, forecast, meeting, table, loan):
        filled = fill(of, reading, (0, len(reading.text)), found)
        if not filled.missing:
            for call in filled.calls:
                of.check(dict(call))
