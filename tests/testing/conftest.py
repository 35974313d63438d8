"""A small shop, and a house for its crews."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from crewgraph import Agent, Crew, Task, tool
from crewgraph.testing import CrewHouse


@tool(unit="EUR")
def price(item: Literal["pen", "ink"]) -> float:
    """The price of an item."""
    return {"pen": 12.5, "ink": 6.0}[item]


@tool
def stock(item: str) -> int:
    """How many of an item there are."""
    return 3


@pytest.fixture
def fixed() -> Crew:
    """Two prices and then the stock, whatever is asked; no model is needed."""
    tasks = [
        Task(id="a", description="price of a pen", tool="price", args={"item": "pen"}),
        Task(id="b", description="price of ink", tool="price", args={"item": "ink"}, depends_on=("a",)),
        Task(id="c", description="pens left", tool="stock", args={"item": "pen"}, depends_on=("b",)),
    ]
    return Crew([Agent("clerk", "Know.", tools=[price, stock])], tasks=tasks)


@pytest.fixture
def writers() -> Crew:
    """Two who only write, side by side, and one who ends."""
    agents = [Agent("poet", "Write."), Agent("poet of the sea", "Write."), Agent("editor", "Choose.")]
    tasks = [
        Task(id="a", description="write a line", agent="poet"),
        Task(id="b", description="write another line", agent="poet of the sea"),
        Task(id="c", description="choose", agent="editor", depends_on=("a", "b")),
    ]
    return Crew(agents, tasks=tasks)


@pytest.fixture
def house(tmp_path: Path) -> CrewHouse:
    return CrewHouse(tmp_path / "home")
