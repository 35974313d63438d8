"""A thousand runs at once in one process: each a chain of 10 tasks of 100 ms, so that 1.0 s would be ideal.

crewgraph's runs are durable (one SQLite file, `read_only` steps, and `once` steps beside them); LangGraph's
functional API runs without a checkpointer. Graph and flow are made once and run a thousand times; beside them stand
crewgraph's runs with a graph each of its own, as planned ones have. Memory is what the process holds at its highest
beyond what it held before the runs began (a few runs have warmed it up), divided by the runs.

Figures, medians: `seconds` until the last run is finished and committed, `kb_per_run`; the same with `once_`,
`own_graph_` and `langgraph_` before them.

    python benchmarks/concurrent_runs.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from _dag import chain, dataflow, task_graph
from _report import Figures, finish, in_child, medians, parser, table

RUNS, TASKS, SLEEP = 1000, 10, 0.1
OneRun = Callable[[], Awaitable[None]]


async def all_at_once(run: OneRun) -> Figures:
    """Start all runs at one moment; seconds to the end of the last, and memory at the highest."""
    await asyncio.gather(*(run() for _ in range(20)))
    gc.collect()
    process = psutil.Process()
    before = highest = process.memory_info().rss
    over = asyncio.Event()

    async def watch() -> None:
        nonlocal highest
        while not over.is_set():
            highest = max(highest, process.memory_info().rss)
            try:
                await asyncio.wait_for(over.wait(), 0.02)
            except TimeoutError:
                continue

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(RUNS)))
    seconds = time.perf_counter() - began
    highest = max(highest, process.memory_info().rss)
    over.set()
    await watching
    return {"seconds": seconds, "kb_per_run": (highest - before) / 1024 / RUNS}


async def crewgraph(folder: Path, kind: str) -> Figures:
    from crewgraph import Task, TaskResult
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import RunFinished, RunStarted
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    effect: Any = "once" if kind == "once" else "read_only"
    shared = task_graph(chain(TASKS))

    async def work() -> int:
        await asyncio.sleep(SLEEP)
        return 1

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(value=await ctx.step("work", work, inputs={"task": task.id}, effect=effect))

    async with open_store(folder / "runs.db") as store:

        async def run() -> None:
            async with await store.create_run("bench", "go") as journal:
                ctx = RunContext(journal)
                await ctx.emit(RunStarted(crew="bench", request="go"))
                graph = task_graph(chain(TASKS)) if kind == "own_graph" else shared
                await execute(graph, worker, ctx)
                await ctx.emit(RunFinished(answer="done"))

        return await all_at_once(run)


async def langgraph() -> Figures:
    from langgraph.func import entrypoint, task

    @task
    async def work(n: int) -> int:
        await asyncio.sleep(SLEEP)
        return 1

    @entrypoint()
    async def flow(_: object) -> str:
        await dataflow(chain(TASKS), work)
        return "done"

    async def run() -> None:
        await flow.ainvoke("go")

    return await all_at_once(run)


async def child(name: str) -> Figures:
    logging.disable(logging.WARNING)
    if name == "langgraph":
        return await langgraph()
    with tempfile.TemporaryDirectory() as folder:
        return await crewgraph(Path(folder), name.partition(":")[2])


WHO = {
    "crewgraph:read_only": "crewgraph, durable (SQLite)",
    "crewgraph:once": "crewgraph, durable, every step `once`",
    "crewgraph:own_graph": "crewgraph, durable, a graph for each run",
    "langgraph": "LangGraph functional, not durable",
}


def main() -> int:
    """Print the table."""
    options = parser(__doc__ or "", quick="one run of each instead of five").parse_args()
    if options.child:
        print(json.dumps(asyncio.run(child(options.child))))
        return 0
    repeats = 1 if options.quick else 5
    found: dict[str, list[Figures]] = {name: [] for name in WHO}
    for _ in range(repeats):
        for name in WHO:
            found[name].append(in_child(__file__, name))
    middle = {name: medians(runs) for name, runs in found.items()}
    rows: list[tuple[object, ...]] = [(WHO[n], f["seconds"], f["kb_per_run"]) for n, f in middle.items()]
    rows.insert(1, ("  bar (ideal: 1.0 s)", 3.0, 30.0))
    table(
        f"{RUNS:,} runs at once of {TASKS} tasks of {SLEEP * 1000:.0f} ms", ("", "seconds", "KB a run"), rows
    )
    figures = dict(middle["crewgraph:read_only"])
    for who in ("crewgraph:once", "crewgraph:own_graph", "langgraph"):
        short = who.removeprefix("crewgraph:")
        figures |= {f"{short}_{name}": value for name, value in middle[who].items()}
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
