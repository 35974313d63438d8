"""A crew whose tools take what requests differ in: things, figures, dates, names, addresses, words to look for."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from crewgraph import Agent, Crew, calculate, tool

UNITS = {"kg": ["kilogram", "千克"], "lb": ["pound", "磅"], "oz": ["ounce", "盎司"]}
ITEMS = {
    "pen": ["钢笔"],
    "ink": ["墨水"],
    "glue": ["胶水"],
    "tape": ["胶带"],
    "stamp": ["邮票"],
    "ruler": ["尺子"],
}


@tool(names={"item": ITEMS})
def price(
    item: Literal["pen", "ink", "glue", "tape", "stamp", "ruler"], currency: Literal["EUR", "USD"] = "EUR"
) -> float:
    """The price of an item in the shop."""
    return 1.0


@tool(names={"from_unit": UNITS, "to_unit": UNITS})
def convert_weight(
    amount: float, from_unit: Literal["kg", "lb", "oz"], to_unit: Literal["kg", "lb", "oz"], digits: int = 2
) -> float:
    """Convert a weight from one unit to another."""
    return amount


@tool
def orders(customer: str, since: str = "", limit: int = 10) -> list[str]:
    """The orders of a customer."""
    return []


@tool
def search(query: str) -> str:
    """Look for texts."""
    return ""


@tool(effect="once")
def mail(to: str, text: str) -> str:
    """Send a letter."""
    return "sent"


@tool
def book(room: Annotated[str, "The room."], day: str, seats: int) -> str:
    """Reserve a room."""
    return ""


@pytest.fixture(scope="session")
def office() -> Crew:
    return Crew(
        name="office",
        agents=[Agent("clerk", "Know the shop."), Agent("host", "Answer.")],
        tools=[price, convert_weight, orders, search, mail, book, calculate],
    )
