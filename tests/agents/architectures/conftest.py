"""Desks over a real database, and for each architecture a model that errs in the way that it mends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from crewgraph import Agent, Crew, ModelRequest, Task, tool
from crewgraph.agents.architectures import NAMES, architecture
from crewgraph.agents.architectures.architecture import Architecture
from crewgraph.agents.desk import Desk
from crewgraph.agents.model import ModelClient, ModelReply
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.writing import Brief
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.store import Store, open_store

Script = Callable[[ModelRequest], str]
FINISH = json.dumps({"tool": "finish"})


class Shop:
    """A crew of three, with a tool that counts its calls."""

    def __init__(self, **agent: Any) -> None:
        self.calls: list[str] = []

        @tool(unit="EUR")
        def price(item: Literal["pen", "ink", "paper"]) -> float:
            """The price of an item."""
            self.calls.append(item)
            return {"pen": 12.5, "ink": 6.0, "paper": 0.1}[item]

        self.clerk = Agent("clerk", "Know prices.", tools=[price], **agent)
        self.writer = Agent("writer", "Write short letters.", architecture="direct")
        self.boss = Agent("boss", "Lead the shop.", architecture="supervisor")
        self.crew = Crew([self.clerk, self.writer, self.boss], name="shop")


def asked(request: ModelRequest) -> str:
    """The last thing that was said to the model."""
    return request.messages[-1].content


def direct(request: ModelRequest) -> str:
    return "Two pens are twice one pen.\nAnswer: 25 EUR"


def react(request: ModelRequest) -> str:
    """It misspells, then does the same thing twice, then finishes."""
    said = [m.content for m in request.messages if m.role == "assistant"]
    if request.schema is None:
        return "A pen costs 12.5 EUR, so two are 25 EUR."
    if len(said) == 3:
        return FINISH
    return json.dumps({"tool": "price", "args": {"item": "pne" if not said else "pen"}})


def plan_and_solve(request: ModelRequest) -> str:
    """A plan with one step too many, a tool for the first, a thought for the second."""
    text = asked(request)
    if "First write a plan" in text:
        return "Here is my plan:\n1. Look the pen up\n2. Double it\n3. Look the pen up"
    if request.schema is not None:
        looks = "only this one: Look the pen up" in text
        return json.dumps({"tool": "price", "args": {"item": "pen"}} if looks else {"tool": "think"})
    return "Twice 12.5 is 25." if "only this one" in text else "It is all there.\nAnswer: 25 EUR"


def reflection(request: ModelRequest) -> str:
    """The first draft is wrong, and the critique sees it."""
    text = asked(request)
    if "Check this draft" in text:
        wrong = "Answer: 24" in text
        return (
            f"{'12.5 twice is not 24' if wrong else 'All is well'}.\nVerdict: {'wrong' if wrong else 'right'}"
        )
    return "Twice 12.5.\nAnswer: 25 EUR" if "A reader says" in text else "Twice 12.\nAnswer: 24 EUR"


def self_consistency(request: ModelRequest) -> str:
    """Two of five are wrong, each in its own way."""
    return f"Hm.\nAnswer: {({0: '24 EUR', 3: '30 EUR', 4: '**25.0 eur**.'}).get(request.seed or 0, '25 EUR')}"


def tree_of_thoughts(request: ModelRequest) -> str:
    """The first thought that comes leads nowhere; another one does."""
    text = asked(request)
    if request.choices:
        return (
            "impossible"
            if "by heart" in text
            else "sure"
            if "Answer:" in text.split("Do these")[0]
            else "maybe"
        )
    if "price list" in text:
        return "Twice 12.5 is 25.\nAnswer: 25 EUR"
    return "I know it by heart." if request.seed == 0 else f"Look at the price list, line {request.seed}."


def debate(request: ModelRequest) -> str:
    """One speaker is hasty, and sees it in the second round."""
    persona = "distrust" in " ".join(m.content for m in request.messages)
    moved = "Another says" in asked(request)
    return f"So I think.\nAnswer: {'25 EUR' if persona or moved else '24 EUR'}"


def supervisor(request: ModelRequest) -> str:
    """The manager gives out a piece, the same piece again, another piece, and finishes."""
    if "You are the boss" not in request.messages[0].content:
        if request.schema is not None:
            return react(request)
        return (
            "A pen is 12.5 EUR."
            if "You are the clerk" in request.messages[0].content
            else "Answer: Dear Sir, 25 EUR."
        )
    pieces = sum(m.role == "assistant" for m in request.messages)
    if request.schema is None:
        return "Two pens cost 25 EUR."
    to = ["clerk", "clerk", "writer"]
    if pieces == len(to):
        return json.dumps({"finish": True})
    return json.dumps(
        {"colleague": to[pieces], "instruction": "Find the price." if pieces < 2 else "Write a letter."}
    )


SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (
        direct, react, plan_and_solve, reflection, self_consistency, tree_of_thoughts, debate, supervisor,
    )
}  # fmt: skip


def never_stops(request: ModelRequest) -> str:
    """Says something else each time, finds all wrong, and never finishes. Replies depend on the request alone."""
    so_far = sum(len(m.content) for m in request.messages) + (request.seed or 0)
    if request.choices:
        return request.choices[so_far % len(request.choices)]
    if request.schema is not None:
        if '"colleague"' in json.dumps(request.schema):
            roles = json.dumps(request.schema)
            return json.dumps(
                {"colleague": "clerk" if "clerk" in roles else "writer", "instruction": f"{so_far}"}
            )
        return json.dumps({"tool": "price", "args": {"item": f"none {so_far}"}})
    if "plan" in asked(request):
        return "\n".join(f"{n}. Do {n} and {so_far}" for n in range(60))
    return f"{so_far} is wrong.\nVerdict: wrong" if "Verdict" in asked(request) else f"I think of {so_far}."


class Counting(ModelClient):
    """Counts the calls that came to their end; cuts the work off at the n-th that begins, as a crash would."""

    def __init__(self, script: Script, die_at: int = 0) -> None:
        self.inner = ScriptedModel(script)
        self.die_at = die_at
        self.begun = 0
        self.done: list[str] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.begun += 1
        if self.begun == self.die_at:
            raise asyncio.CancelledError("killed")
        for _ in range((request.seed or 0) * 7 % 5):  # so that calls side by side end in another order
            await asyncio.sleep(0)
        reply = await self.inner.complete(request)
        self.done.append(json.dumps(request.identity(), sort_keys=True))
        return reply

    async def stream(self, request: ModelRequest) -> Any:
        reply = await self.complete(request)
        async for delta in ScriptedModel(lambda _: reply.text).stream(request):
            yield delta

    async def models(self) -> list[str]:
        return ["counting"]

    async def aclose(self) -> None:
        pass


@dataclass
class Office:
    """Desks over one database."""

    path: Path
    heard: list[Any] = field(default_factory=list)

    def opened(self) -> AbstractAsyncContextManager[Store]:
        return open_store(self.path)

    def desk(self, shop: Shop, agent: Agent, client: ModelClient, ctx: RunContext) -> Desk:
        task = Task(id="t", description="Find the price of two pens.", agent=agent.role)
        brief = Brief("What do two pens cost?", "en")
        return Desk(agent, shop.crew, client, ctx, task, brief, shop.crew.tools_of(agent))

    @asynccontextmanager
    async def at_work(
        self,
        shop: Shop,
        agent: Agent,
        client: ModelClient,
        *,
        again: bool = False,
        budget: Budget | None = None,
    ) -> Any:
        """A desk in a new run, or in the last one."""
        async with (
            self.opened() as store,
            await (store.open_run("last") if again else store.create_run("shop", "?")) as journal,
        ):
            ctx = RunContext(journal, listeners=[self.heard.append], budget=budget).for_task("t")
            yield self.desk(shop, agent, client, ctx)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "runs.db")


@dataclass
class Case:
    """An architecture with the agent that uses it, and what it comes to."""

    name: str
    way: Architecture
    shop: Shop
    agent: Agent
    script: Script

    @classmethod
    def of(cls, name: str) -> Case:
        shop = Shop()
        agent = shop.boss if name == "supervisor" else shop.clerk
        return cls(name, architecture(name), shop, agent, SCRIPTS[name])


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case.of(request.param)
