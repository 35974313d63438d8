"""A process that carries out a run and kills itself with SIGKILL at a chosen moment. Started by the tests.

Arguments: database, log of effects, run id ("" begins one), number of the effect at which to die (0: never),
where to die ("before" or "after" the effect itself), and the seed of the delays.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from crewgraph.runtime.context import Cost, RunContext
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.runtime.events import RunFinished, RunStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store

GRAPH = TaskGraph(
    [
        Task(id="a", description="", args={"n": 1}),
        Task(id="b", description="", args={"n": 2}),
        Task(id="c", description="", args={"n": "$a"}),
        Task(id="d", description="", args={"n": "$b"}),
        Task(id="e", description="", args={"n": "$b"}),
        Task(id="f", description="", args={"x": "$c", "y": "$d", "z": "$e"}),
    ]
)


async def main(database: str, log: str, run_id: str, die_at: int, where: str, seed: int) -> None:
    chance = random.Random(seed)
    done = 0

    def effect_of(name: str, number: int) -> object:
        async def effect() -> int:
            nonlocal done
            await asyncio.sleep(chance.random() / 200)
            done += 1
            if done == die_at and where == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            with Path(log).open("a") as file:  # noqa: ASYNC230
                file.write(f"{name}\n")
            if done == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return number * 10 + 1

        return effect

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        total = 0
        for slot, number in task.args.items():
            for step in ("first", "second"):
                said = await ctx.step(
                    step,
                    effect_of(f"{task.id}/{slot}/{step}", int(str(number))),  # type: ignore[arg-type]
                    inputs={"n": number},
                    effect="once" if where == "after" else "read_only",
                    cost=lambda _: Cost(tokens=1),
                )
                total += int(str(said))
        return TaskResult(value=total)

    async with open_store(database) as store:
        journal = await (store.open_run(run_id) if run_id else store.create_run("crew", "sum"))
        print(journal.run_id, flush=True)
        ctx = RunContext(journal)
        if not run_id:
            await ctx.emit(RunStarted(crew="crew", request="sum"))
        results = await execute(GRAPH, worker, ctx, limit=3)
        await ctx.emit(RunFinished(answer=str(results["f"].value), tokens=ctx.spent.tokens))
        print("answer", results["f"].value, flush=True)


if __name__ == "__main__":
    _, path, effects, run, dies, place, delays = sys.argv
    try:
        asyncio.run(main(path, effects, run, int(dies), place, int(delays)))
    except CrewgraphError as error:
        print(type(error).__name__, error, flush=True)
        sys.exit(3)
