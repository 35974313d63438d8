"""Requests that come in one moment: the first is at its engine before the last is planned, and nobody holds others back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from crewgraph import Crew, House, Task
from crewgraph.planner.asked import Asked
from crewgraph.planner.plan import ANSWER, Plan
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import Unreachable
from crewgraph.runtime.events import Event, PlanMade, StepIntended
from crewgraph.serving import starting

from .conftest import Shop

MANY = 60
HELLO = "Tell me something about paper."


@dataclass
class Asking:
    """An author's planner that asks the house itself before it plans."""

    house: House
    crew: Crew

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        said = await self.house.ask(self.crew, HELLO, planner="rules")
        return Plan(tasks=(Task(id=ANSWER, description=said.answer, agent="host"),), strategy="own")


async def test_the_first_call_is_made_before_the_last_request_is_planned(
    house: House, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "_LONGEST_S", 60.0)  # however slow this machine is
    for _ in range(2):
        events: list[Event] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(MANY):
                group.create_task(house.ask(shop.crew, HELLO, listeners=[events.append], planner="rules"))
        kinds = [type(event) for event in events]
        assert kinds[: kinds.index(StepIntended)].count(PlanMade) < MANY / 2
        assert kinds.count(PlanMade) == MANY
        for _ in range(MANY):  # those that end before any call leave everything as it was
            with pytest.raises(Unreachable):
                await house.ask(shop.crew, "Send a pen to my landlord", planner="rules")


async def test_planners_that_ask_the_house_themselves_are_all_answered(house: House, shop: Shop) -> None:
    crew = replace(shop.crew, planner=Asking(house, shop.crew))
    async with asyncio.timeout(30):
        done = await asyncio.gather(*(house.ask(crew, HELLO) for _ in range(MANY)))
    assert {one.answer for one in done} == {"With pleasure."}
