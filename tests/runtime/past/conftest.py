"""Shared by the tests of past runs: programs that are carried out without a database, and ones on a real store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ToolError
from crewgraph.runtime.events import Answer, Event, PlanMade, RunFinished, RunResumed, RunStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.journalling.row import EventRow, decode, encode
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "runs.db") as opened:
        yield opened


class Memory:
    """A sink that keeps the rows of one run in memory."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.crowded = False

    def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Awaitable[None] | None:
        self.rows.append(row)
        return asyncio.sleep(0) if wait else None

    async def flush(self) -> None:
        await asyncio.sleep(0)

    async def answers(self) -> list[tuple[str, float, Answer]]:
        return []

    async def release(self) -> None:
        pass


Kind = Literal["read_only", "once", "idempotent", "now", "twice", "handled", "flaky", "grow", "side_by_side"]


@dataclass(frozen=True)
class Op:
    """One thing a task's code does. `inner` are the steps that go on side by side.

    A `handled` step fails and the code goes on; a `flaky` one fails the first attempt of its task; `grow` adds a task.
    """

    kind: Kind
    name: str
    inner: tuple[Op, ...] = ()


@dataclass
class Program:
    """A crew of plain functions: a graph, and what the code of each task does. All of it gives the same each time.

    `calls` counts what was carried out live: task, step and its inputs. `instead` makes a step give another value.
    """

    graph: TaskGraph
    ops: dict[str, tuple[Op, ...]]
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    instead: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def worker(self, task: Task, ctx: RunContext) -> TaskResult:
        seen = digest(
            task.args, task.description, {need: ctx.results[need].value for need in sorted(ctx.results)}
        )
        for op in self.ops.get(re.sub(r"\.\d+", "", task.id), ()):
            seen = digest(seen, await self._do(op, task.id, ctx, seen))
        return TaskResult(value=seen, text=f"{task.id}: {seen}")

    async def _do(self, op: Op, task_id: str, ctx: RunContext, seen: str) -> Any:
        match op.kind:
            case "now":
                await ctx.now()
                return None
            case "twice":
                return [await self._step(op.name, task_id, ctx, "the same") for _ in range(2)]
            case "handled":
                try:
                    return await self._step(op.name, task_id, ctx, seen, fails=True)
                except ToolError as error:
                    return str(error)
            case "flaky":
                return await self._step(op.name, task_id, ctx, seen, fails=not ctx.failed_attempts(task_id))
            case "grow":
                await ctx.add_tasks(
                    [Task(id=f"{task_id}-{op.name}", description="added", args={"seen": seen})]
                )
                return None
            case "side_by_side":
                async with asyncio.TaskGroup() as group:
                    going = [group.create_task(self._do(one, task_id, ctx, seen)) for one in op.inner]
                return [one.result() for one in going]
            case _:
                return await self._step(op.name, task_id, ctx, seen, effect=op.kind)

    async def _step(
        self,
        name: str,
        task_id: str,
        ctx: RunContext,
        seen: str,
        *,
        effect: Any = "read_only",
        fails: bool = False,
    ) -> Any:
        async def effect_itself() -> Any:
            self.calls[task_id, name, seen] += 1
            for _ in range(len(name) % 3):
                await asyncio.sleep(0)
            if fails:
                raise ToolError(f"{name} cannot")
            return self.instead.get((task_id, name), digest(name, seen))

        return await ctx.step(name, effect_itself, inputs={"seen": seen}, effect=effect)

    async def run(self, journal: Journal, *, planned: bool = False) -> str:
        """Carry it out; with `planned` the plan is that of the journal already. The answer is the last task's text."""
        ctx = RunContext(journal)
        if not planned:
            await ctx.emit(RunStarted(crew="c", request="r"))
            await ctx.step("plan", self._plan, inputs={})
            await ctx.emit(PlanMade(tasks=tuple(self.graph.tasks), strategy="rules"))
        results = await execute(self.graph, self.worker, ctx, limit=3)
        answer = results[self.graph.order[-1]].text
        await ctx.emit(RunFinished(answer=answer))
        return answer

    async def _plan(self) -> str:
        self.calls["", "plan", ""] += 1
        return "planned"

    async def recorded(self) -> list[Event]:
        """The events of a whole run, in memory."""
        sink = Memory()
        await self.run(Journal("r", sink=sink))
        self.calls.clear()
        return [decode(row) for row in sink.rows]

    async def replayed(self, events: Sequence[Event]) -> str:
        """The answer of a replay of these events."""
        rows = [encode(seq, event) for seq, event in enumerate(events, 1)]
        return await self.run(Journal("r", rows, read_only=True))

    async def carried_on(self, events: Sequence[Event]) -> list[Event]:
        """All events of a run that began with these and went on, in memory."""
        sink = Memory()
        sink.rows = [encode(seq, event) for seq, event in enumerate(events, 1)]
        journal = Journal("f", list(sink.rows), sink=sink)
        await journal.append(RunResumed(at=events[-1].at, finished_steps=journal.finished_steps))
        await self.run(journal, planned=any(isinstance(event, PlanMade) for event in events))
        return [decode(row) for row in sink.rows]


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def answer_of(events: Sequence[Event]) -> str:
    return next(event.answer for event in reversed(events) if isinstance(event, RunFinished))


Recorded = Callable[[Program], Awaitable[list[Event]]]
