"""What durability costs: a random graph of 200 tasks of no length, a chain of 10, disk a step, time to committed.

Every task does one step. For crewgraph (on SQLite) both kinds are measured: `read_only` steps, as model calls and
most tools are, which do not wait for the disk, and `once` steps, whose intent and result are committed before the
run goes on. Wall time lasts until everything is committed; CPU counts all threads.

Figures, medians: `wall_ms`, `cpu_ms` a task in the graph, `chain_wall_ms` a task in the chain, the same with `once_`
before them, `bytes_per_step` (disk beyond the payload, the JSON of inputs and outputs, at 10,000 steps),
`commit_p50_ms` and `commit_p99_ms` (event to committed, at 6,400 events/s from 64 runs).

    python benchmarks/durable_cost.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _dag import Needs, chain, dataflow, random_dag, task_graph
from _report import Figures, finish, in_child, medians, parser, percentile, table

Run = Callable[[], Awaitable[None]]
TASKS, SEED, CHAIN, RATE, RUNS = 200, 7, 10, 6400, 64


async def measured(run: Run, tasks: int) -> tuple[float, float]:
    """Wall and CPU milliseconds a task."""
    wall, cpu = time.perf_counter(), time.process_time()
    await run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall * 1000 / tasks, cpu * 1000 / tasks


async def both(make: Callable[[Needs], Awaitable[Run]], repeats: int) -> Figures:
    """The graph and the chain, several times over; the first of each only warms up."""
    runs: list[Figures] = []
    graph, line = random_dag(TASKS, SEED), chain(CHAIN)
    for _ in range(repeats + 1):
        wall, cpu = await measured(await make(graph), TASKS)
        chained = [await measured(await make(line), CHAIN) for _ in range(5)]
        runs.append({"wall_ms": wall, "cpu_ms": cpu, "chain_wall_ms": sorted(chained)[2][0]})
    return medians(runs[1:])


async def crewgraph(folder: Path, repeats: int, effect: Any) -> Figures:
    from crewgraph import Task, TaskResult
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import RunFinished, RunStarted
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    async def nothing() -> int:
        return 1

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(value=await ctx.step("work", nothing, inputs={"task": task.id}, effect=effect))

    async with open_store(folder / "runs.db") as store:

        async def make(needs: Needs) -> Run:
            graph = task_graph(needs)

            async def run() -> None:
                async with await store.create_run("bench", "go") as journal:
                    ctx = RunContext(journal)
                    await ctx.emit(RunStarted(crew="bench", request="go"))
                    await execute(graph, worker, ctx, limit=TASKS)
                    await ctx.emit(RunFinished(answer="done"))

            return run

        return await both(make, repeats)


async def langgraph(folder: Path, repeats: int, saver: str) -> Figures:
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.func import entrypoint, task

    @task
    async def work(n: int) -> int:
        return 1

    async with contextlib.AsyncExitStack() as stack:
        checkpointer: Any = None
        if saver == "memory":
            checkpointer = InMemorySaver()
        elif saver == "sqlite":
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            path = str(folder / "langgraph.db")
            checkpointer = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
        threads = iter(range(10_000))

        async def make(needs: Needs) -> Run:
            @entrypoint(checkpointer=checkpointer)
            async def flow(_: object) -> str:
                await dataflow(needs, work)
                return "done"

            config: Any = {"configurable": {"thread_id": str(next(threads))}}

            async def run() -> None:
                await flow.ainvoke("go", config)

            return run

        return await both(make, repeats)


async def dbos(folder: Path, repeats: int) -> Figures:
    from dbos import DBOS

    config: Any = {
        "name": "bench",
        "system_database_url": f"sqlite:///{folder / 'dbos.db'}",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    graphs: dict[str, Needs] = {}

    @DBOS.step()
    async def work(n: int) -> int:
        return 1

    @DBOS.workflow()
    async def flow(name: str) -> str:
        await dataflow(graphs[name], work)
        return "done"

    DBOS.launch()

    async def make(needs: Needs) -> Run:
        name = str(len(needs))
        graphs[name] = needs

        async def run() -> None:
            await flow(name)

        return run

    try:
        return await both(make, repeats)
    finally:
        DBOS.destroy()


async def disk(folder: Path, steps: int) -> Figures:
    """Bytes a step on disk beyond its payload, in one run of so many steps; the store is closed when measured."""
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import TaskStarted
    from crewgraph.runtime.store import open_store

    async def fill(path: Path, count: int) -> int:
        payload = 0
        async with open_store(path) as store, await store.create_run("bench", "go") as journal:
            ctx = RunContext(journal).for_task("t1")
            await ctx.emit(TaskStarted(task_id="t1"))
            for n in range(count):
                inputs = {"query": f"the number {n} of many", "limit": n}
                output = {"found": n * 7, "text": "a result of ordinary length, as tools give them"}

                async def work(output: Any = output) -> Any:
                    return output

                await ctx.step("search", work, inputs=inputs)
                payload += len(json.dumps(inputs, separators=(",", ":")))
                payload += len(json.dumps(output, separators=(",", ":")))
        return sum(f.stat().st_size for f in path.parent.glob(f"{path.name}*")) - payload

    empty = await fill(folder / "empty.db", 0)
    return {"bytes_per_step": (await fill(folder / "full.db", steps) - empty) / steps}


async def commits(folder: Path, seconds: float) -> Figures:
    """How long an event takes until it is committed, at a steady rate, whatever the latency of those before."""
    from crewgraph.runtime.events import Noted
    from crewgraph.runtime.store import open_store

    took: list[float] = []
    text = "A note of the length that events have, with words in it and figures such as 1,538 and so on. " * 2

    async with open_store(folder / "runs.db") as store:
        journals = [await store.create_run("bench", "go") for _ in range(RUNS)]

        async def one(n: int, due: float) -> None:
            await journals[n % RUNS].append(Noted(at=time.time(), task_id="t1", text=text))
            took.append(time.perf_counter() - due)

        made = 0
        async with asyncio.TaskGroup() as group:
            began = time.perf_counter()
            while (now := time.perf_counter() - began) < seconds:
                while made < now * RATE:
                    # Counted from when it was made, not from when it was due: the bench's own lag is not the store's.
                    group.create_task(one(made, time.perf_counter()))
                    made += 1
                await asyncio.sleep(0.0005)
        for journal in journals:
            await journal.aclose()
    later = took[len(took) // 5 :]
    return {
        "commit_p50_ms": percentile(later, 0.5) * 1000,
        "commit_p99_ms": percentile(later, 0.99) * 1000,
        "events_per_s": len(took) / seconds,
    }


async def child(name: str, amount: float) -> Figures:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as made:
        folder, (kind, _, of) = Path(made), name.partition(":")
        if kind == "crewgraph":
            return await crewgraph(folder, int(amount), of)
        if kind == "langgraph":
            return await langgraph(folder, int(amount), of)
        if kind == "dbos":
            return await dbos(folder, int(amount))
        if kind == "disk":
            return await disk(folder, int(amount))
        return await commits(folder, amount)


WHO = {
    "crewgraph:read_only": "crewgraph, durable (SQLite)",
    "crewgraph:once": "crewgraph, durable, every step `once`",
    "langgraph:none": "LangGraph functional, not durable",
    "langgraph:memory": "LangGraph functional, memory saver",
    "langgraph:sqlite": "LangGraph functional, SQLite saver",
    "dbos": "DBOS steps (SQLite)",
}


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="fewer repeats, shorter stretches")
    flags.add_argument("--amount", type=float, default=1, help="of a --child: repeats, steps or seconds")
    options = flags.parse_args()
    if options.child:
        print(json.dumps(asyncio.run(child(options.child, options.amount))))
        return 0
    # In turns, so that a machine that is busy for a while is busy for all of them.
    rounds, repeats = (1, 3) if options.quick else (3, 9)
    runs: dict[str, list[Figures]] = {name: [] for name in WHO}
    if importlib.util.find_spec("langgraph.checkpoint.sqlite") is None:
        del runs["langgraph:sqlite"]
    for _ in range(rounds):
        for name, done in runs.items():
            few = 2 if name == "dbos" else repeats
            done.append(in_child(__file__, name, "--amount", str(few)))
    found = {name: medians(done) for name, done in runs.items()}
    head = ("", "graph wall", "graph CPU", "chain wall")
    rows = [(WHO[n], f["wall_ms"], f["cpu_ms"], f["chain_wall_ms"]) for n, f in found.items()]
    rows.insert(1, ("  bar", 0.35, 0.25, 0.8))
    table(f"Milliseconds a task: {TASKS} tasks of no length, chain of {CHAIN}", head, rows)
    if "langgraph:sqlite" not in found:
        print("(langgraph-checkpoint-sqlite is not installed: LangGraph's durable saver is not measured)")

    sizes = {n: in_child(__file__, "disk", "--amount", str(n))["bytes_per_step"] for n in (100, 1000, 10_000)}
    lengths = [(f"a run of {n:,} steps", round(size)) for n, size in sizes.items()]
    table("Bytes on disk a step, beyond its payload", ("", "bytes"), [*lengths, ("  bar", 300)])

    seconds = 2 if options.quick else 10
    latency = medians(
        [in_child(__file__, "commits", "--amount", str(seconds)) for _ in range(1 if options.quick else 5)]
    )
    table(
        f"Event to committed, {latency['events_per_s']:,.0f} events/s ({RATE:,} wanted)",
        ("", "p50 ms", "p99 ms"),
        [("crewgraph", latency["commit_p50_ms"], latency["commit_p99_ms"]), ("  bar", 0.5, 2.0)],
    )
    figures = dict(found["crewgraph:read_only"])
    figures |= {f"once_{name}": value for name, value in found["crewgraph:once"].items()}
    figures |= {"bytes_per_step": sizes[10_000], **latency}
    for name in ("langgraph:none", "langgraph:memory", "langgraph:sqlite", "dbos"):
        short = name.replace(":", "_")
        figures |= {f"{short}_{key}": value for key, value in found.get(name, {}).items()}
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
