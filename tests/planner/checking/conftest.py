"""A warehouse: tools whose results have fields and lists, that take several things at once, and that change things."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, create_model, model_validator

from crewgraph import Agent, Crew, Tool, tool
from crewgraph.tools.planning import Traits

sys.path.append(
    str(Path(__file__).parents[3] / "benchmarks")
)  # random crews and their second opinion are shared


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Item(BaseModel):
    name: str
    weight: float
    size: Size = Size.SMALL


class Stock(BaseModel):
    place: Literal["north", "south"]
    items: list[Item]
    heaviest: Item
    note: str | None = None


class Window(BaseModel):
    first: int
    last: int

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.first > self.last:
            raise ValueError("first comes after last")
        return self


@tool
def stock(place: Literal["north", "south"]) -> Stock:
    """What a warehouse holds."""
    return Stock(place=place, items=[], heaviest=Item(name="x", weight=1))


@tool
def pack(item: Item, boxes: Annotated[int, Field(ge=1, le=9)] = 1) -> list[Item]:
    """Pack an item into boxes."""
    return [item] * boxes


@tool
def weigh(names: Annotated[list[str], Field(min_length=1, max_length=3)], size: Size = Size.SMALL) -> float:
    """Weigh things by name."""
    return float(len(names))


class Pairs(BaseModel):
    many: Annotated[list[str], Field(min_length=4)]


@tool
def pair() -> Pairs:
    """Pair things up."""
    return Pairs(many=["a", "b", "c", "d"])


def _book(first: int, last: int) -> bool:
    return first < last


book = Tool("book", "Book a truck between two hours.", Window, bool, _book)  # type: ignore[arg-type]  # never called


count = Tool("count", "Count the trucks.", create_model("count_arguments"), int, _book)  # type: ignore[arg-type]  # never called


@tool(effect="once", traits=Traits(writes=("label:{name}",)))
def label(name: str, text: str = "") -> str:
    """Put a label on a thing."""
    return name


@tool(effect="once", traits=Traits(writes=("ledger",)))
def enter(amount: float) -> str:
    """Enter an amount in the ledger."""
    return str(amount)


@tool(traits=Traits(reads=("ledger",)))
def balance(month: str = "now") -> float:
    """The ledger's balance."""
    return 1.0


@tool(effect="once")
def send(to: str, text: str) -> str:
    """Send a letter."""
    return to


@tool(effect="once", approval=lambda amount: amount > 100)
def pay(amount: float) -> str:
    """Pay an amount."""
    return str(amount)


class Report(BaseModel):
    title: str
    pages: int


@pytest.fixture(scope="session")
def house() -> Crew:
    return Crew(
        name="warehouse",
        agents=[
            Agent("keeper", "Know and move things.", tools=[stock, pack, weigh, book, count, label, pair]),
            Agent("clerk", "Keep the books.", tools=[enter, balance, send, pay]),
            Agent("editor", "Write reports.", output_type=Report),
            Agent("host", "Answer."),
        ],
    )
