"""Dataflow: a random graph of 200 tasks of 10 to 200 ms, durable on SQLite; how much longer than its longest chain.

Every task does one step that waits. For crewgraph each step's intent and result, and each task's beginning and result,
are journalled in a SQLite file; wall time lasts until the last of it is committed. The peers keep nothing: plain
asyncio, LangGraph's functional API (`@entrypoint`, `@task`) without a checkpointer, LangGraph's StateGraph. All run in
turns, three rounds each, so that whatever else the machine does meets all of them.

Figures, medians: `wall_over_critical`, and the same for each peer before it (`asyncio_`, `functional_`, `stategraph_`).

    python benchmarks/dag200.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import json
import logging
import operator
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from _dag import Needs, dataflow, random_dag, task_graph
from _report import Figures, finish, in_child, medians, parser, table

TASKS, SEED, ROUNDS = 200, 7, 3


def lengths(seed: int) -> list[float]:
    """How long each task takes, in seconds."""
    chance = random.Random(seed + 1)
    return [chance.uniform(0.01, 0.2) for _ in range(TASKS)]


def longest_chain(needs: Needs, seconds: Sequence[float]) -> float:
    ends: list[float] = []
    for n, of in enumerate(needs):
        ends.append(seconds[n] + max((ends[m] for m in of), default=0.0))
    return max(ends)


async def timed(run: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


async def crewgraph(needs: Needs, seconds: Sequence[float]) -> float:
    from crewgraph import Task, TaskResult
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import RunFinished, RunStarted
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        async def wait() -> str:
            await asyncio.sleep(seconds[int(task.id[1:])])
            return task.id

        return TaskResult(value=await ctx.step("wait", wait, inputs={}))

    graph = task_graph(needs)
    with tempfile.TemporaryDirectory(prefix="dag200-") as folder:
        async with open_store(Path(folder) / "runs.db") as store:

            async def run() -> None:
                async with await store.create_run("bench", "go") as journal:
                    ctx = RunContext(journal)
                    await ctx.emit(RunStarted(crew="bench", request="go"))
                    await execute(graph, worker, ctx, limit=TASKS)
                    await ctx.emit(RunFinished(answer="done"))

            return await timed(run)


async def plain_asyncio(needs: Needs, seconds: Sequence[float]) -> float:
    return await timed(lambda: dataflow(needs, lambda n: asyncio.sleep(seconds[n])))


async def functional(needs: Needs, seconds: Sequence[float]) -> float:
    from langgraph.func import entrypoint, task

    @task
    async def wait(n: int) -> int:
        await asyncio.sleep(seconds[n])
        return n

    async def one(n: int) -> None:
        await wait(n)

    @entrypoint()
    async def flow(_: str) -> int:
        await dataflow(needs, one)
        return 1

    return await timed(lambda: flow.ainvoke("go", {"max_concurrency": None}))


async def stategraph(needs: Needs, seconds: Sequence[float]) -> float:
    from typing import Annotated, TypedDict

    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        done: Any

    State.__annotations__["done"] = Annotated[list[int], operator.add]
    graph: Any = StateGraph(State)
    for n, of in enumerate(needs):

        async def node(state: State, n: int = n) -> dict[str, list[int]]:
            await asyncio.sleep(seconds[n])
            return {"done": [n]}

        graph.add_node(f"t{n}", node)
        graph.add_edge([f"t{m}" for m in of] if of else START, f"t{n}")
    for n in set(range(len(needs))) - {m for of in needs for m in of}:
        graph.add_edge(f"t{n}", END)
    app = graph.compile()
    return await timed(lambda: app.ainvoke({"done": []}, {"recursion_limit": 10_000}))


KINDS: dict[str, tuple[str, Callable[[Needs, Sequence[float]], Awaitable[float]]]] = {
    "": ("crewgraph, durable on SQLite", crewgraph),
    "asyncio_": ("plain asyncio, keeps nothing", plain_asyncio),
    "functional_": ("LangGraph functional API, keeps nothing", functional),
    "stategraph_": ("LangGraph StateGraph, keeps nothing", stategraph),
}


def child(name: str) -> None:
    logging.disable(logging.CRITICAL)
    needs, seconds = random_dag(TASKS, SEED), lengths(SEED)
    measure = KINDS[name.removeprefix("run ")][1]

    async def several() -> list[float]:
        await measure([[]], seconds)  # what is loaded and compiled at first use
        return [await measure(needs, seconds) for _ in range(ROUNDS)]

    print(json.dumps({"walls": asyncio.run(several())}))


def main() -> int:
    flags = parser(__doc__ or "", quick=f"{ROUNDS} rounds instead of {ROUNDS * 5}")
    options = flags.parse_args()
    if options.child:
        child(options.child)
        return 0
    critical = longest_chain(random_dag(TASKS, SEED), lengths(SEED))
    found: list[Figures] = []
    for _ in range(1 if options.quick else 5):
        walls = {name: in_child(__file__, f"run {name}")["walls"] for name in KINDS}
        found += [
            {f"{name}wall_over_critical": walls[name][turn] / critical for name in KINDS}
            for turn in range(ROUNDS)
        ]
    figures = medians(found)
    best = {name: min(one[name] for one in found) for name in figures}
    rounds = len(found)
    table(
        f"200 tasks, longest chain {critical:.3f} s: wall / longest chain, {rounds} rounds (bar: 1.015)",
        ("", "median", "best"),
        [
            [
                title,
                figures[f"{name}wall_over_critical"],
                best[f"{name}wall_over_critical"],
            ]
            for name, (title, _) in KINDS.items()
        ],
    )
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
