"""Agents of other frameworks at work: a crew's tasks carried out in a store, as often as a test wants them to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crewgraph.agents.agent import Agent
from crewgraph.agents.crew import Crew
from crewgraph.agents.desk import Desk
from crewgraph.agents.model import Message, ModelClient
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.agents.writing import Brief
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import RunWaiting
from crewgraph.runtime.events import Answer, Event, StepFinished, StepIntended
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store


@dataclass
class Floor:
    """Where one crew works on its fixed tasks; each `sitting` goes on with the run of the one before."""

    folder: Path
    crew: Crew
    client: ModelClient
    request: str = "What does ink cost?"
    history: Sequence[Message] = ()
    run_id: str = ""
    events: list[Event] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    def alike(self, crew: Crew | None = None, client: ModelClient | None = None) -> Floor:
        """The same place, with another crew or client in it."""
        return replace(self, crew=crew or self.crew, client=client or self.client, events=[], seen=[])

    async def sitting(self, budget: Budget | None = None) -> dict[str, TaskResult]:
        """Begin the run, or go on with it."""
        async with open_store(self.folder / "runs.db") as store:
            if self.run_id:
                journal = await store.open_run(self.run_id)
            else:
                journal = await store.create_run(self.crew.name, self.request)
            self.run_id = journal.run_id
            async with journal:
                ctx = RunContext(journal, budget=budget, listeners=[self.events.append])
                return await self._carry_out(ctx, self.client)

    async def replay(self) -> dict[str, TaskResult]:
        """The run read back, with a model that must not be asked."""
        async with open_store(self.folder / "runs.db") as store:
            return await self._carry_out(await open_replay(store, self.run_id), ForbiddenModel())

    async def answer(self, answer: Answer) -> str:
        """Answer the run's only question; its words."""
        async with open_store(self.folder / "runs.db") as store:
            (question,) = await store.questions(self.run_id)
            await store.answer(self.run_id, question.key, answer)
            return question.question

    async def asked_and_answered(self, answer: Answer) -> str:
        """A sitting that ends with a question, and the answer to it."""
        try:
            await self.sitting()
        except RunWaiting:
            return await self.answer(answer)
        raise AssertionError("nothing was asked")

    async def steps(self, kind: type[Event] = StepFinished) -> list[str]:  # type: ignore[assignment]
        """The names of the run's steps, as they ended."""
        async with open_store(self.folder / "runs.db") as store:
            events = await store.events(self.run_id)
        return [e.name for e in events if isinstance(e, kind) and isinstance(e, StepFinished | StepIntended)]

    async def _carry_out(self, ctx: RunContext, client: ModelClient) -> dict[str, TaskResult]:
        async def worker(task: Task, ctx: RunContext) -> TaskResult:
            agent = self.crew.agent(task.agent)
            written = [result.text for result in ctx.results.values()]
            brief = Brief(self.request, "en", self.history, (), written)
            desk = Desk(agent, self.crew, client, ctx, task, brief, self.crew.tools_of(agent))
            done = await agent.architecture.conclude(desk)  # type: ignore[union-attr]
            self.seen.extend(done.seen)
            return TaskResult(value=done.value if done.value is not None else done.text, text=done.text)

        return await execute(TaskGraph(self.crew.tasks), worker, ctx)


def one(
    architecture: Any, folder: Path, client: ModelClient, *, tools: Sequence[object] = (), **agent: Any
) -> Floor:
    """A floor with one agent at one task."""
    member = Agent("clerk", "Know prices.", tools=tools, architecture=architecture, **agent)
    return Floor(folder, Crew([member], tasks=[Task(id="t1", description="", agent="clerk")]), client)
