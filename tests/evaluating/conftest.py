"""A stationer's shop, datasets about it, and evaluations of it with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from crewgraph import Agent, Crew, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.serving.evaluating.case import Case
from crewgraph.serving.evaluating.dataset import Dataset, read_dataset
from crewgraph.serving.evaluating.record import Heading, Record, Trial
from crewgraph.serving.evaluating.score import Observed, Score
from crewgraph.serving.evaluating.scorers.meaning import shared_words

QUIZ = {
    "Oslo": "weather", "Spanish": "translate", "17 percent": "calculator", "Thursday": "calendar", "Anna": "mail",
    "Rome": "weather", "48 by 119": "calculator", "dentist": "calendar", "Bob": "mail", "French": "translate",
}  # fmt: skip
"""The words of each question of the quiz, and its right answer."""

PRICES = {"pen": 12.5, "ink": 6.0, "paper": 0.1, "glue": 3.0}


def polite(request: ModelRequest) -> str:
    """Fails the quiz, plans nothing, talks politely."""
    if request.choices:
        return request.choices[0]
    return json.dumps({"tasks": []}) if request.schema else "With pleasure."


class Shop:
    """A crew whose calls are counted, and whose till can be locked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.broken: set[str] = set()

        @tool(unit="EUR")
        async def price(item: Literal["pen", "ink", "paper", "glue"]) -> float:
            """The price of an item in the shop."""
            self.calls.append(item)
            if item in self.broken:
                raise ConnectionError("the till is locked")
            return PRICES[item]

        clerk = Agent("clerk", "Know prices.", tools=[price])
        self.crew = Crew([clerk, Agent("host", "Answer.")], name="shop")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(polite)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", model_url=None, model=None)


Lines = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """A dataset's file of these lines: text as it is, anything else as JSON."""

    def write(*cases: Any, name: str = "cases.jsonl") -> Path:
        told = [case if isinstance(case, str) else json.dumps(case, ensure_ascii=False) for case in cases]
        path = tmp_path / name
        path.write_text("\n".join(told), "utf-8")
        return path

    return write


def price_case(item: str, **more: Any) -> dict[str, Any]:
    """A case that asks for a price."""
    return {
        "id": item,
        "input": f"What is the price of {item}?",
        "expected": PRICES[item],
        "scorers": ["contains"],
    } | more


@pytest.fixture
def prices(lines: Lines) -> Dataset:
    """Four cases, one an item."""
    wanted = [{"name": "price", "args": {"item": "pen"}}]
    return read_dataset(lines(price_case("pen", tools=wanted), *map(price_case, ("ink", "paper", "glue"))))


def case(**told: Any) -> Case:
    return Case.model_validate({"input": "?", **told})


def seen(answer: str = "", **more: Any) -> Observed:
    return Observed("r-1", "?", answer, **more)


class Words:
    """A bench without models."""

    async def likeness(self, one: str, other: str) -> tuple[float, str]:
        return shared_words(one, other), "words"

    async def verdict(self, criterion: str, observed: Observed, expected: Any) -> Score:
        raise AssertionError("nobody is to be asked")


@pytest.fixture
def bench() -> Words:
    return Words()


Recorded = Callable[..., Record]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A record that was never run: the values of one scorer by case."""

    def make(values: dict[str, float], *, name: str = "a", scorer: str = "exact", **more: Any) -> Record:
        cases = dict.fromkeys(values, "same")
        heading = Heading(
            key=name, crew=name, crew_file="", crew_hash=name, dataset="d", dataset_hash="d", cases=cases
        )
        record = Record(tmp_path / f"{name}.jsonl", heading)
        for case, value in values.items():
            score = Score(value=value, passed=value == 1)
            record.trials[case, 0] = Trial(case=case, ended="finished", scores={scorer: score}, **more)
        return record

    return make
