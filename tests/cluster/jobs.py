"""What the workers of these tests carry: found by the path of this file. The spec says which effects go where."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Mapping
from typing import Any

from crewgraph.runtime.budget import Cost
from crewgraph.runtime.cluster.cluster import Cluster
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import CrewgraphError, ToolError
from crewgraph.runtime.events import PlanMade, RunCancelled, RunErred, RunFinished, RunPaused
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.stepping.doubt import DidNotHappen, Happened
from crewgraph.runtime.worker import Worker

HERE = __file__
CONDUCT = f"{HERE}:conduct"
MAKE = f"{HERE}:make"


async def conduct(journal: Journal, spec: Mapping[str, Any], cluster: Cluster) -> None:
    """Schedule the tasks of the spec on the cluster; the answer is the last one's text."""
    ctx = RunContext(journal)
    tasks = [Task.model_validate(task) for task in spec["tasks"]]
    worker = cluster.worker(MAKE, {"effects": spec["effects"]}, queues=spec.get("queues"))
    try:
        results = await execute(TaskGraph(tasks), worker, ctx, limit=spec.get("limit", 8))
    except asyncio.CancelledError:
        await asyncio.shield(ctx.emit(RunCancelled()))
        raise
    except CrewgraphError as error:
        waits = error.code in ("waiting", "step_in_doubt")
        await ctx.emit(RunPaused(reason=str(error)) if waits else RunErred(error=str(error), code=error.code))
        raise
    await ctx.emit(RunFinished(answer=results[tasks[-1].id].text, tokens=ctx.spent.tokens))


async def make(spec: Mapping[str, Any], _: object) -> Worker:
    """A worker that does what a task's description says."""

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        return await _DEEDS[task.description](task, ctx, spec["effects"])

    return worker


def write_down(effects: str, what: str, key: str = "") -> None:
    """Put a row into the world outside: a table in which what happens twice stands twice."""
    db = sqlite3.connect(effects, timeout=30, isolation_level=None)
    try:
        db.execute("INSERT INTO effects VALUES (?, ?, ?)", (what, key, os.getpid()))
    finally:
        db.close()


def written(effects: str, key: str) -> bool:
    """Whether there is such a row."""
    db = sqlite3.connect(effects, timeout=30)
    try:
        return bool(db.execute("SELECT count(*) FROM effects WHERE key = ?", (key,)).fetchone()[0])
    finally:
        db.close()


async def _once(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    """One effect that must happen once, and that can be found out about."""
    await asyncio.sleep(float(str(task.args.get("seconds", 0.0))))
    key = ctx.idempotency_key("effect", task.id)

    async def effect() -> int:
        await asyncio.to_thread(write_down, effects, task.id, key)
        return 1

    async def reconcile(asked: str) -> Happened | DidNotHappen:
        return Happened(1) if await asyncio.to_thread(written, effects, asked) else DidNotHappen()

    await ctx.step("effect", effect, inputs=task.id, effect="once", reconcile=reconcile)
    return _sum(ctx)


async def _dies_in_effect(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    """Its worker is killed in the middle of an effect that nobody can find out about."""

    async def effect() -> int:
        write_down(effects, task.id)
        os.kill(os.getpid(), signal.SIGKILL)
        return 1

    await ctx.step("effect", effect, inputs=task.id, effect="once")
    return _sum(ctx)


async def _fails(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    raise ToolError("The pump is broken: mend it.")


async def _fails_oddly(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    raise ZeroDivisionError("nothing to divide by")


async def _fails_twice(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    async def effect() -> int:
        write_down(effects, task.id)
        return 1

    await ctx.step("before", effect, inputs=task.id, effect="once")
    tried = len(await asyncio.to_thread(_rows, effects, f"{task.id} tried"))
    await asyncio.to_thread(write_down, effects, f"{task.id} tried")
    if tried < 2:
        raise ToolError(f"attempt {tried + 1} failed")
    return _sum(ctx)


async def _asks(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    answer = await ctx.ask("How many?", choices=("answer", "reject"))
    return TaskResult(value=answer.value, text=str(answer.value))


async def _spends(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    async def model() -> int:
        return 7

    await ctx.step("model", model, inputs=task.id, cost=lambda _: Cost(tokens=100, tool_calls=1))
    return _sum(ctx)


async def _grows(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    await ctx.add_tasks([Task(id="added", description="once")], then=["last"])
    return _sum(ctx)


async def _waits(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    """Goes on for longer than any test, and says when it begins and when it is stopped."""
    await asyncio.to_thread(write_down, effects, "begun")
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        write_down(effects, "stopped")
        raise
    return _sum(ctx)


async def _alone(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    """Says when it begins and when it ends."""
    await asyncio.to_thread(write_down, effects, "in")
    await asyncio.sleep(0.05)
    await asyncio.to_thread(write_down, effects, "out")
    return _sum(ctx)


async def _large(task: Task, ctx: RunContext, effects: str) -> TaskResult:
    return TaskResult(value=["Ω" * 100_000, *(r.value for r in ctx.results.values())], text="large")


_DEEDS = {
    "once": _once,
    "dies in effect": _dies_in_effect,
    "fails": _fails,
    "fails oddly": _fails_oddly,
    "fails twice": _fails_twice,
    "asks": _asks,
    "spends": _spends,
    "grows": _grows,
    "waits": _waits,
    "alone": _alone,
    "large": _large,
}


def _sum(ctx: RunContext) -> TaskResult:
    value = 1 + sum(int(result.text) for result in ctx.results.values())
    return TaskResult(value=value, text=str(value))


def _rows(effects: str, what: str) -> list[Any]:
    db = sqlite3.connect(effects, timeout=30)
    try:
        return db.execute("SELECT * FROM effects WHERE what = ?", (what,)).fetchall()
    finally:
        db.close()


__all__ = ["CONDUCT", "MAKE", "PlanMade", "conduct", "make"]
