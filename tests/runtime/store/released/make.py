"""Makes the database that stands for a release: run it with that release installed, once, and keep what it prints.

``python make.py > 0.2.0.sql``. It holds a finished, a failed, a cancelled and an interrupted run, one without events,
and a conversation. `test_upgrade.py` brings each of these databases up to date.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from crewgraph.runtime.context import Cost, RunContext
from crewgraph.runtime.events import PlanMade, RunCancelled, RunErred, RunFinished, RunStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store

GRAPH = TaskGraph(
    [
        Task(id="a", description="one", args={"n": 1}),
        Task(id="b", description="two", args={"n": 2}),
        Task(id="c", description="of a", args={"n": "$a"}),
        Task(id="d", description="of b", args={"n": "$b"}),
        Task(id="e", description="of c and d", args={"x": "$c", "y": "$d"}),
    ]
)


async def carry(journal: Any, *, die_at: int = 0, fail_at: int = 0) -> None:
    done = 0

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        total = 0
        for number in task.args.values():
            for step in ("first", "second"):

                async def effect(number: Any = number) -> int:
                    nonlocal done
                    done += 1
                    if done == die_at:
                        os._exit(0)
                    if done == fail_at:
                        raise RuntimeError("it broke: 坏了")
                    return int(number) * 10 + 1

                total += await ctx.step(
                    step,
                    effect,
                    inputs={"n": number},
                    effect="idempotent",
                    cost=lambda _: Cost(tokens=2, tool_calls=1),
                )
        return TaskResult(value=total, text=f"{task.id} is {total}")

    async def large() -> str:
        return "x" * 66_000

    ctx = RunContext(journal)
    await ctx.emit(RunStarted(crew="crew", request=journal.record.request))
    await ctx.emit(PlanMade(tasks=tuple(GRAPH.tasks), strategy="outline", notes=("because",)))
    await ctx.note("Noted: 中文, 'quotes', \\ and 🙂")
    try:
        results = await execute(GRAPH, worker, ctx, limit=2)
    except Exception as error:
        await ctx.emit(RunErred(error=str(error), code="task_failed"))
        return
    await ctx.step("large", large, inputs={})
    await ctx.emit(RunFinished(answer=str(results["e"].value), tokens=ctx.spent.tokens))


async def make(path: str) -> None:
    async with open_store(path) as store:
        thread = await store.create_thread("计划")
        await store.add_message(thread.id, "user", "What is the sum?")
        async with await store.create_run(
            "crew",
            "finished run",
            crew_path="/crews/sum.py",
            model="m",
            options={"limit": 2},
            thread_id=thread.id,
        ) as journal:
            await carry(journal)
        await store.add_message(thread.id, "assistant", "It is this.", run_id=journal.run_id)
        async with await store.create_run("crew", "failed run") as journal:
            await carry(journal, fail_at=5)
        async with await store.create_run("crew", "cancelled run") as journal:
            await RunContext(journal).emit(RunCancelled())
        await store.create_run("crew", "run without events")
        await carry(await store.create_run("crew", "interrupted run", options={"limit": 2}), die_at=7)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "runs.db")
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            asyncio.run(make(path))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            sys.stdout.write("\n".join(connection.iterdump()) + "\n")
