"""Shared by the scheduler's tests: a trial carries graphs out on a virtual clock, sitting after sitting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import Answer, Asked, Event, StepIntended
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute

Behaviour = Callable[[Task, RunContext], Coroutine[Any, Any, Any]]


class Trial:
    """One run on a tape. Each `sitting` carries the graph on from what the tape holds; `replay` reads it back.

    `events` are what listeners heard in the latest sitting, `done` the tasks whose worker was called in it.
    `person` is asked what to answer when a run looks for answers: from questions to decisions.
    """

    def __init__(self, tape: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.tape = tape
        self.events: list[Event] = []
        self.done: list[str] = []
        self.seconds = 0.0
        self.person: Callable[[Event], Answer | None] = lambda asked: None
        self._run = run
        self._open: dict[str, Event] = {}
        tape.answers = self._answers

    async def _answers(self) -> list[tuple[str, float, Answer]]:
        found = [(key, asked.at, self.person(asked)) for key, asked in self._open.items()]
        given = [(key, asked, answer) for key, asked, answer in found if answer is not None]
        for key, _, _ in given:
            del self._open[key]
        return given

    def sitting(
        self,
        tasks: Sequence[Task],
        worker: Behaviour | None = None,
        *,
        upto: int | None = None,
        journal: Journal | None = None,
        planner: Callable[[RunContext], Any] | None = None,
        **options: Any,
    ) -> dict[str, TaskResult]:
        """Results of whole tasks; raises what `execute` raises. With `upto`, only so many rows survived a crash."""
        self.events, self.done = [], []
        ctx = RunContext(journal or self.tape.journal(upto), listeners=[self._hear])
        if planner is not None:
            options["growth"] = planner(ctx)

        async def counted(task: Task, ctx: RunContext) -> TaskResult:
            self.done.append(task.id)
            if worker is None:
                return TaskResult(value=task.id)
            given = await worker(task, ctx)
            return given if isinstance(given, TaskResult) else TaskResult(value=given)

        async def timed() -> dict[str, TaskResult]:
            began = asyncio.get_running_loop().time()
            try:
                return await execute(TaskGraph(tasks), counted, ctx, **options)
            finally:
                self.seconds = asyncio.get_running_loop().time() - began

        found: dict[str, TaskResult] = self._run(timed())
        return found

    def replay(self, tasks: Sequence[Task], worker: Behaviour | None = None, **options: Any) -> Any:
        """The same from the journal alone; nothing is written."""
        rows = list(self.tape.rows)
        try:
            return self.sitting(
                tasks, worker, journal=Journal("r-test", list(rows), read_only=True), **options
            )
        finally:
            assert self.tape.rows == rows

    def of(self, kind: str) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if event.kind == kind]

    def ids(self, kind: str) -> list[str]:
        """The tasks of the events of one kind."""
        return [event.task_id for event in self.of(kind)]

    def rows(self, kind: str) -> list[str]:
        """The tasks of the rows of one kind, over all sittings."""
        return [row.task_id for row in self.tape.rows if row.kind == kind]

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Asked | StepIntended):
            self._open[event.key] = event


@pytest.fixture
def trial(new_tape: Any, virtual: Any) -> Trial:
    return Trial(new_tape(), virtual)


@pytest.fixture(scope="session")
def new_trial(new_tape: Any, virtual: Any) -> Callable[[], Trial]:
    return lambda: Trial(new_tape(), virtual)
