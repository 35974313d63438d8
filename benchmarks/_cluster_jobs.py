"""What the workers of benchmarks/cluster.py carry: found by this file's path, on every machine. Imports no neighbour."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from crewgraph.runtime.cluster.cluster import Cluster
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import RunFinished
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.stepping.doubt import DidNotHappen, Happened
from crewgraph.runtime.worker import Worker

HERE = __file__
RIGHT = "17"
"""The answer of every run: 1 for the first task, 2 for each of those behind it, their sum and 1 for the last."""


def graph(shape: str) -> TaskGraph:
    """Ten tasks: eight between a first and a last one, or all of them side by side."""
    if shape == "flat":
        return TaskGraph(Task(id=f"t{n}", description="wait") for n in range(10))
    middle = [Task(id=f"t{n}", description="one more", depends_on=("t0",)) for n in range(1, 9)]
    last = Task(id="t9", description="add up", depends_on=tuple(task.id for task in middle))
    return TaskGraph([Task(id="t0", description="begin"), *middle, last])


async def conduct(journal: Journal, spec: Mapping[str, Any], cluster: Cluster) -> None:
    """Schedule one run; its tasks go to whichever worker is free."""
    ctx = RunContext(journal)
    results = await execute(graph(spec["shape"]), cluster.worker(f"{HERE}:make", spec), ctx)
    await ctx.emit(RunFinished(answer=results["t9"].text))


async def make(spec: Mapping[str, Any], _: object) -> Worker:
    """A worker whose tasks wait, and then have one effect on the world that must happen once."""
    effects = None if spec["effects"] is None else await _effects(spec["effects"])

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        await asyncio.sleep(spec["seconds"])
        if effects is not None:
            key = ctx.idempotency_key("effect", task.id)

            async def effect() -> int:
                await effects.insert(ctx.run_id, task.id, key)
                return 1

            async def reconcile(asked: str) -> Happened | DidNotHappen:
                return Happened(1) if await effects.holds(asked) else DidNotHappen()

            await ctx.step("effect", effect, inputs=task.id, effect="once", reconcile=reconcile)
        value = 1 + sum(int(result.text) for result in ctx.results.values())
        return TaskResult(value=value, text=str(value))

    return worker


class Effects:
    """The world outside: a table without a unique key, so that what happens twice stands in it twice."""

    def __init__(
        self, insert: Callable[[str, str, str], Awaitable[None]], holds: Callable[[str], Awaitable[bool]]
    ) -> None:
        self.insert = insert
        self.holds = holds


async def _effects(where: str) -> Effects:
    return await _in_postgres(where) if where.startswith("postgresql") else _in_sqlite(where)


async def _in_postgres(url: str) -> Effects:
    import asyncpg

    pool = await asyncpg.create_pool(url, min_size=1, max_size=4)

    async def insert(run: str, task: str, key: str) -> None:
        await pool.execute(
            "INSERT INTO effects VALUES ($1, $2, $3, $4, $5)", run, task, key, os.getpid(), time.time()
        )

    async def holds(key: str) -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM effects WHERE key = $1", key))

    return Effects(insert, holds)


def _in_sqlite(path: str) -> Effects:
    def insert(run: str, task: str, key: str) -> None:
        with sqlite3.connect(path, timeout=30) as db:
            db.execute(
                "INSERT INTO effects VALUES (?, ?, ?, ?, ?)", (run, task, key, os.getpid(), time.time())
            )
        db.close()

    def holds(key: str) -> bool:
        with sqlite3.connect(path, timeout=30) as db:
            found = db.execute("SELECT count(*) FROM effects WHERE key = ?", (key,)).fetchone()[0]
        db.close()
        return bool(found)

    async def insert_apart(run: str, task: str, key: str) -> None:
        await asyncio.to_thread(insert, run, task, key)

    async def holds_apart(key: str) -> bool:
        return await asyncio.to_thread(holds, key)

    return Effects(insert_apart, holds_apart)
