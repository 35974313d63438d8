"""A run that is broken off behind every one of its steps, resumed each time, and replayed without a model."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Crew, House, ModelRequest, Outcome, Settings
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.runtime.events import Event, Noted, PlanMade, StepFinished, TaskFinished

Effects = list[str]
MakeCrew = Callable[[Effects], Crew]
Script = Callable[[ModelRequest], str]


class Ran:
    """What came of a run: its outcome, its effects (tool calls as they write them), model calls, events."""

    def __init__(
        self, outcome: Outcome, effects: Effects, requests: list[ModelRequest], events: list[Event]
    ) -> None:
        self.outcome, self.effects, self.requests, self.events = outcome, effects, requests, events

    @property
    def notes(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Noted)]

    @property
    def plan(self) -> PlanMade:
        return next(e for e in self.events if isinstance(e, PlanMade))

    @property
    def tasks(self) -> list[str]:
        return [e.task_id for e in self.events if isinstance(e, TaskFinished)]

    @property
    def steps(self) -> list[str]:
        return [e.name for e in self.events if isinstance(e, StepFinished)]


def settings(home: Path) -> Settings:
    return Settings(home=home, model_url=None, model=None)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Awaitable[Ran]]:
    """Carry a request out once, over a real SQLite journal."""
    count = iter(range(1000))

    async def carry_out(make: MakeCrew, script: Script, request: str = "Which city?", **more: Any) -> Ran:
        effects: Effects = []
        events: list[Event] = []
        model = ScriptedModel(script)
        async with House.open(settings(tmp_path / f"home{next(count)}"), client=model) as house:
            outcome = await house.ask(make(effects), request, listeners=[events.append], **more)
        return Ran(outcome, effects, model.requests, events)

    return carry_out


@pytest.fixture
def exact(tmp_path: Path, ask: Callable[..., Awaitable[Ran]]) -> Callable[..., Awaitable[Ran]]:
    """The same, and then broken off behind each step in turn: nothing is called twice, and a replay calls nothing."""

    async def check(make: MakeCrew, script: Script, request: str = "Which city?", **more: Any) -> Ran:
        calm = await ask(make, script, request, **more)
        wanted = Counter(map(repr, calm.requests)), Counter(calm.effects)
        for at in range(1, len(calm.steps)):
            home, effects = settings(tmp_path / f"broken{at}"), list[str]()
            first, then = ScriptedModel(script), ScriptedModel(script)
            await _broken_off(home, first, make(effects), request, at, more)
            async with House.open(home, client=then) as house:
                found = await house.resume("last", make(effects))
            assert found.answer == calm.outcome.answer, f"broken off behind step {at}"
            assert found.evidence == calm.outcome.evidence
            called = Counter(map(repr, _plain(first.requests + then.requests))), Counter(effects)
            assert called == (Counter(map(repr, _plain(calm.requests))), wanted[1]), f"behind step {at}"
            effects.clear()
            async with House.open(home, client=ForbiddenModel()) as house:
                again = await house.replay("last", make(effects))
            assert (again.answer, again.evidence) == (found.answer, found.evidence)
            assert effects == []
        return calm

    return check


async def _broken_off(
    home: Settings, model: ScriptedModel, crew: Crew, request: str, at: int, more: dict[str, Any]
) -> None:
    seen = 0

    def count(event: Event) -> None:
        nonlocal seen
        if isinstance(event, StepFinished):
            seen += 1
            if seen == at:
                asking.cancel()

    async with House.open(home, client=model) as house:
        asking = asyncio.create_task(house.ask(crew, request, listeners=[count], **more))
        with pytest.raises(asyncio.CancelledError):
            await asking


def _plain(requests: list[ModelRequest]) -> list[object]:
    """The calls without what engines are told of the run beside them."""
    return [request.identity() for request in requests]
