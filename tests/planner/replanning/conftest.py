"""A crew of gauges whose tools are counted and can be broken, and real runs of it: orchestrator, scheduler, SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from crewgraph import Agent, Budget, Crew, Fact, Task, tool
from crewgraph.agents.aptitude import Aptitude
from crewgraph.agents.model import ModelClient
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.asked import Asked
from crewgraph.planner.orchestrator import Orchestrator
from crewgraph.planner.plan import ANSWER, Estimate, Plan, TaskEstimate
from crewgraph.planner.planner import Planner
from crewgraph.planner.replanning.guard import Guarded
from crewgraph.planner.replanning.replanner import Replanner
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ToolArgumentError
from crewgraph.runtime.events import Event, PlanMade, RunFinished
from crewgraph.runtime.reading.replay import open_replay, to_its_end
from crewgraph.runtime.store import Store, open_store
from crewgraph.runtime.worker import Worker
from crewgraph.tools.options import Option, nearest

LEVELS = {"Aba": 120, "Bex": 340, "Cam": 75, "Dun": 900}
Place = Literal["Aba", "Bex", "Cam", "Dun"]


@dataclass
class Gauges:
    """Tools that count what they do. `broken` says, by tool and argument, what is raised or given instead, and how often."""

    broken: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, str]] = field(default_factory=Counter)

    def breaks(self, name: str, about: str, *what: Any) -> None:
        """The next calls raise or give these, one after the other."""
        self.broken[name, about] = list(what)

    def said(self, name: str, about: str, right: Any) -> Any:
        """What the tool says."""
        self.calls[name, about] += 1
        waiting = self.broken.get((name, about))
        if waiting:
            found = waiting.pop(0)
            if isinstance(found, Exception):
                raise found
            return found
        self.done[name, about] += 1
        return right

    def crew(self, *, stand_in: bool = False) -> Crew:
        """A crew of them. With a `stand_in`, somebody else knows levels too."""

        @tool(unit="mm")
        async def level(place: Place) -> int:
            """The water level at a place."""
            found: int = self.said("level", place, LEVELS[place])
            return found

        @tool(unit="mm")
        async def backup_level(place: Place) -> int:
            """The water level at a place, from a mirror."""
            found: int = self.said("backup_level", place, LEVELS[place])
            return found

        @tool(unit="m")
        async def depth(place: Place) -> int:
            """How deep the water is at a place."""
            found: int = self.said("depth", place, 7)
            return found

        @tool
        async def levels(places: list[Place]) -> list[Fact]:
            """The water levels at places."""
            facts = [Fact(label=p, quantity="level", value=LEVELS[p], unit="mm") for p in places]
            found: list[Fact] = self.said("levels", ",".join(places), facts)
            return found

        @tool
        async def stations(region: str) -> list[str]:
            """The stations of a region."""
            found: list[str] = self.said("stations", region, region.split("-"))
            return found

        @tool(effect="once")
        async def file_report(place: str) -> str:
            """File a report about a place."""
            found: str = self.said("file_report", place, f"The report on {place} is filed.")
            return found

        @tool(unit="m")
        async def height(name: str) -> int:
            """How high a place lies."""
            if name not in LEVELS:
                known = tuple(Option(place) for place in LEVELS)
                raise ToolArgumentError(f"height: name={name!r} is not known; {nearest(name, known)}")
            found: int = self.said("height", name, 10 * LEVELS[name])
            return found

        tools = [level, depth, levels, stations, file_report, height]
        others = [Agent("neighbour", "Know levels too.", tools=[backup_level])] if stand_in else []
        return Crew(
            [Agent("gauger", "Know levels.", tools=tools), *others, Agent("writer", "Answer.")],
            name="gauges",
        )


@dataclass
class Came:
    """What came of a run."""

    run_id: str
    answer: str
    error: Exception | None
    events: list[Event]

    @property
    def plans(self) -> list[PlanMade]:
        """Its plans, the first one first."""
        return [event for event in self.events if isinstance(event, PlanMade)]

    @property
    def evidence(self) -> tuple[str, ...]:
        """What its answer rests on."""
        return next((e.evidence for e in self.events if isinstance(e, RunFinished)), ())

    @property
    def missing(self) -> tuple[str, ...]:
        """What its last plan gave up on."""
        return self.plans[-1].missing


@dataclass(frozen=True)
class _Planning(Planner):
    conductor: Conductor | None = None

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        assert self.conductor is not None
        return self._thought(Plan(tasks=self.conductor.tasks, strategy="made"))

    async def changed(self, asked: Asked, ctx: RunContext) -> Plan | None:
        assert self.conductor is not None
        plan = await self.conductor.replanner.change(replace(asked, trusted=self.conductor.trusted), ctx)
        return self._thought(plan) if plan is not None else None

    def _thought(self, plan: Plan) -> Plan:
        """The plan with its estimates; what stands in a task's place takes what that one was thought to take."""
        estimates = self.conductor.estimates if self.conductor is not None else None
        if estimates is None:
            return plan
        tasks = {task.id: estimates.get(task.id.split("-r")[0], TaskEstimate()) for task in plan.tasks}
        return plan.model_copy(update={"estimate": Estimate(tasks=tasks)})

    def guarded(self, worker: Worker, ctx: RunContext, planned: PlanMade) -> Worker:
        if planned.estimate is None:
            return worker
        estimates = Estimate.model_validate(planned.estimate).tasks
        return Guarded(worker, self.crew, planned.tasks, estimates, ctx)


@dataclass(frozen=True)
class Conductor(Orchestrator):
    """The orchestrator with a plan of ours and this replanner, and a guard where there are estimates."""

    tasks: tuple[Task, ...] = ()
    replanner: Replanner = field(default_factory=Replanner)
    estimates: dict[str, TaskEstimate] | None = None
    trusted: bool = False

    def _planner(self, ctx: RunContext) -> Planner:
        return _Planning(
            self.crew, self.client, lambda: self._aptitude(ctx), self.mode, self.services, conductor=self
        )


async def quiz() -> Aptitude:
    """A model that is trusted with everything."""
    return Aptitude(10, 10, "scripted")


@dataclass
class Runs:
    """Runs in one store, and replays of them."""

    store: Store

    async def run(
        self,
        crew: Crew,
        tasks: Sequence[Task],
        request: str = "How high is the water?",
        *,
        model: ModelClient | None = None,
        budget: Budget | None = None,
        run_id: str = "",
        **parts: Any,
    ) -> Came:
        """Carry a request out, or with `run_id` go on with a run; then replay it, which has to come to the same."""
        if run_id:
            journal = await self.store.open_run(run_id)
        else:
            journal = await self.store.create_run(crew.name, request)
        client = model or ScriptedModel(lambda _: "Noted.")
        answer, error = "", None
        async with journal:
            ctx = RunContext(journal, budget=budget)
            plans = [e for e in await self.store.events(journal.run_id) if isinstance(e, PlanMade)]
            conductor = Conductor(crew, client, quiz, "rules", tasks=tuple(tasks), **parts)
            try:
                found = await conductor.carry_out(request, ctx, planned=plans[-1] if plans else None)
                answer = found.answer
            except Exception as raised:
                error = raised
        came = Came(journal.run_id, answer, error, await self.store.events(journal.run_id))
        await self.replayed(crew, request, came, tasks=tuple(tasks), **parts)
        return came

    async def replayed(self, crew: Crew, request: str, came: Came, **parts: Any) -> None:
        """A replay asks nobody anything, and ends as the run did."""
        ctx = await open_replay(self.store, came.run_id)
        conductor = Conductor(crew, ForbiddenModel(), quiz, "rules", **parts)
        if came.error is None:
            assert (await conductor.carry_out(request, ctx)).answer == came.answer
        else:
            with pytest.raises(type(came.error)), to_its_end(ctx):
                await conductor.carry_out(request, ctx)


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[Runs]:
    async with open_store(tmp_path / "runs.db") as store:
        yield Runs(store)


def at(task_id: str, place: str, **more: Any) -> Task:
    """A task that finds the level at a place."""
    said: dict[str, Any] = {"agent": "gauger", "tool": "level", "args": {"place": place}, **more}
    return Task(id=task_id, description=f"level: {place}", **said)


def answer(*ends: str, **more: Any) -> Task:
    """The task that answers."""
    return Task(id=ANSWER, description="Answer the request", agent="writer", depends_on=ends, **more)
