"""A tool that changes something runs only when the request says what it does; numbers go where they belong."""

from __future__ import annotations

from typing import Literal

import pytest

from crewgraph import Agent, Crew, tool
from crewgraph.planner.strategies.rules import by_rules

Tea = Literal["green tea", "black tea", "white tea"]


@tool
def price(tea: Tea, grams: int = 100) -> float:
    """What so many grams of a tea cost.

    Args:
        tea: The tea.
        grams: How many grams.
    """
    return {"green tea": 6.0, "black tea": 4.0, "white tea": 9.0}[tea] * grams / 100


@tool(effect="once")
def reserve(tea: Tea) -> str:
    """Put a packet of a tea aside for the guest.

    Args:
        tea: The tea.
    """
    return f"{tea} is reserved."


@pytest.fixture
def shop() -> Crew:
    return Crew([Agent("host", "Answer guests.", tools=[price, reserve])], name="shop")


def calls(crew: Crew, request: str) -> list[tuple[str | None, dict[str, object]]]:
    return [(t.tool, dict(t.args)) for t in by_rules(crew, request).tasks if t.tool]


@pytest.mark.parametrize("request_", ["What does green tea cost?", "Tell me about green tea", "green tea"])
def test_a_once_tool_is_not_run_on_a_name_alone(shop: Crew, request_: str) -> None:
    assert all(name != "reserve" for name, _ in calls(shop, request_))


def test_a_once_tool_is_run_when_the_request_says_so(shop: Crew) -> None:
    assert ("reserve", {"tea": "white tea"}) in calls(shop, "Please reserve white tea for me")


def test_a_number_with_its_unit_reaches_the_optional_parameter(shop: Crew) -> None:
    assert calls(shop, "What do 250 grams of green tea cost?") == [
        ("price", {"tea": "green tea", "grams": 250})
    ]


def test_numbers_go_with_the_names_they_were_said_with(shop: Crew) -> None:
    found = calls(shop, "What is cheaper, 100 grams of green tea or 50 grams of black tea?")
    assert found[:2] == [
        ("price", {"tea": "green tea", "grams": 100}),
        ("price", {"tea": "black tea", "grams": 50}),
    ]
    assert found[2][0] == "compare"
