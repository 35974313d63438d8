"""A house over a real database, a crew of a stationer's shop that counts its calls, and a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from crewgraph import Agent, Crew, House, ModelRequest, Settings, tool
from crewgraph.agents.testing import ScriptedModel

QUIZ = {
    "Oslo": "weather", "Spanish": "translate", "17 percent": "calculator", "Thursday": "calendar", "Anna": "mail",
    "Rome": "weather", "48 by 119": "calculator", "dentist": "calendar", "Bob": "mail", "French": "translate",
}  # fmt: skip


def answer(request: ModelRequest) -> str:
    """Fails the quiz, plans nothing, talks politely."""
    if request.choices:
        return request.choices[0]
    return json.dumps({"tasks": []}) if request.schema else "With pleasure."


class Shop:
    """A crew whose tool can be counted, stopped and broken."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.broken = False

        @tool(unit="EUR")
        async def price(item: Literal["pen", "ink", "paper"]) -> float:
            """The price of an item in the shop."""
            self.calls.append(item)
            if item != "pen":
                self.reached.set()
                await self.gate.wait()
            if self.broken:
                raise ConnectionError("the till is locked")
            return {"pen": 12.5, "ink": 6.0, "paper": 0.1}[item]

        self.crew = Crew(
            [Agent("clerk", "Know prices.", tools=[price]), Agent("host", "Answer.")], name="shop"
        )


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(answer)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", model_url=None, model=None, model_key="sesame-very-secret")


@pytest.fixture
async def house(settings: Settings, model: ScriptedModel) -> AsyncIterator[House]:
    async with House.open(settings, client=model) as opened:
        yield opened


Scripted = Callable[..., ScriptedModel]


@pytest.fixture
def able() -> Scripted:
    """A model that passes the quiz and plans what it is told to."""

    def make(tasks: list[dict[str, Any]], text: str = "With pleasure.") -> ScriptedModel:
        def reply(request: ModelRequest) -> str:
            if request.choices:
                asked = request.messages[-1].content.split("Request: ")[1]
                return next(name for part, name in QUIZ.items() if part in asked)
            return json.dumps({"tasks": tasks}) if request.schema else text

        return ScriptedModel(reply)

    return make
