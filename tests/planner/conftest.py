"""A crew of a domain that no example has: a stationer's shop."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, calculate, tool
from crewgraph.tools.text import Language

UNITS = {"kg": ["kilogram", "千克"], "lb": ["pound", "磅"], "oz": ["ounce", "盎司"]}


@tool(names={"from_unit": UNITS, "to_unit": UNITS})
def convert_weight(
    amount: float, from_unit: Literal["kg", "lb", "oz"], to_unit: Literal["kg", "lb", "oz"]
) -> float:
    """Convert a weight from one unit to another."""
    grams = {"kg": 1000.0, "lb": 453.59237, "oz": 28.349523125}
    return amount * grams[from_unit] / grams[to_unit]


@tool(unit="EUR", names={"item": {"pen": ["钢笔"], "ink": ["墨水"]}})
def price(
    item: Literal["pen", "ink", "paper", "stamp", "glue", "tape", "ruler", "eraser", "clip", "folder"],
) -> float:
    """The price of an item in the shop, in euros."""
    return {"pen": 12.5, "ink": 6.0, "glue": 3.0}.get(item, 1.0)


@tool
def convert_currency(amount: float, to: Literal["USD", "CNY", "GBP"]) -> float:
    """Convert an amount of euros into another currency."""
    return amount * {"USD": 1.1, "CNY": 8.0, "GBP": 0.85}[to]


class Hours(BaseModel):
    """From when to when."""

    day: str
    opens: str
    closes: str

    def statement(self, lang: Language) -> str:
        return f"{self.day}: {self.opens}–{self.closes}{'。' if lang == 'zh' else '.'}"

    def evidence(self, lang: Language) -> list[str]:
        return [self.statement(lang)]


@tool(names={"day": {"monday": ["星期一"], "sunday": ["星期天"]}})
def opening_hours(
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
) -> Hours:
    """When the shop opens and closes on a day of the week."""
    return Hours(day=day, opens="9:00", closes="13:00" if day == "sunday" else "18:30")


@pytest.fixture(scope="session")
def shop() -> Crew:
    return Crew(
        name="shop",
        agents=[
            Agent("clerk", "Know prices and opening hours.", tools=[price, opening_hours]),
            Agent("banker", "Convert things.", tools=[convert_weight, convert_currency, calculate]),
            Agent("host", "Answer in plain words."),
        ],
    )
