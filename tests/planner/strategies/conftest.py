"""A crew whose tools give lists, records and figures, and models that write plans piece by piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, ModelRequest, tool
from crewgraph.agents.model import ModelDelta, ModelReply, Usage
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.scheduling.ending import Settled
from crewgraph.runtime.store import open_store


class Person(BaseModel):
    """Somebody in the choir."""

    name: str
    age: int
    voice: Literal["alto", "bass", "tenor"]


class Roster(BaseModel):
    """Who sings."""

    town: str
    people: list[Person]


@tool
def roster(town: str) -> Roster:
    """Who sings in a town's choir."""
    return Roster(
        town=town, people=[Person(name=n, age=a, voice="alto") for n, a in (("Ada", 30), ("Bo", 40))]
    )


@tool
def phone(name: str) -> str:
    """The telephone number of a person."""
    return f"555-{len(name)}"


@tool
def pay(age: int, hours: float = 1.0) -> float:
    """What a singer of an age is paid for some hours."""
    return age * hours


@tool(effect="once")
def invite(name: str, voice: Literal["alto", "bass", "tenor"]) -> str:
    """Invite a person to sing in a voice."""
    return f"invited {name}"


@pytest.fixture(scope="session")
def choir() -> Crew:
    return Crew(
        name="choir",
        agents=[
            Agent("manager", "Know who sings and what they are paid.", tools=[roster, pay]),
            Agent("secretary", "Call and invite people.", tools=[phone, invite]),
            Agent("speaker", "Answer in plain words."),
        ],
    )


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[RunContext]:
    async with open_store(tmp_path / "runs.db") as store, await store.create_run("choir", "?") as journal:
        yield RunContext(journal)


def plan_text(*tasks: dict[str, Any]) -> str:
    return json.dumps({"tasks": list(tasks)})


class Piecewise(ScriptedModel):
    """Streams its replies in pieces of a few characters. `gate` is awaited before each piece, with the text so far."""

    def __init__(self, script: Any, *, size: int = 7, gate: Callable[[str], Any] | None = None) -> None:
        super().__init__(script)
        self.size = size
        self.gate = gate
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        reply = await self.complete(request)
        said = ""
        try:
            for at in range(0, len(reply.text), self.size):
                await asyncio.sleep(0)
                if self.gate is not None:
                    await self.gate(said)
                said += reply.text[at : at + self.size]
                yield ModelDelta(reply.text[at : at + self.size])
            yield ModelDelta("", ModelReply(reply.text, "stop", Usage(1, 1), "piecewise"))
        finally:
            self.closed += 1


class NothingSeen:
    """For strategies that do not look."""

    async def settled(self) -> Settled:
        raise AssertionError("it looks at results")


class Told:
    """Says one after the other what has come of the tasks."""

    def __init__(self, *settled: Settled) -> None:
        self._left = list(settled)
        self.asked = 0

    async def settled(self) -> Settled:
        self.asked += 1
        return self._left.pop(0)


async def all_of(tasks: AsyncGenerator[Any, None], into: list[Any] | None = None) -> list[Any]:
    """The tasks that are given; `into` has them also where the giving ends in an error."""
    found: list[Any] = [] if into is None else into
    async for task in tasks:
        found.append(task)
    return found


def shapes(tasks: Sequence[Any]) -> list[tuple[str, str | None, dict[str, Any]]]:
    return [(task.id, task.tool, task.args) for task in tasks]
