"""An hour of mixed runs in one process on SQLite: does memory, or the number of tasks, threads and files, grow?

Eight lanes carry out runs one after the other: plain ones, ones that retry, grow, fail, are cancelled and resumed,
wait for a person and are answered; finished ones are replayed or forked, old ones are pruned. Memory is the median
of a stretch of samples around a sixth of the time and around five sixths of it, while the lanes are at work.

Figures: `memory_growth` (0.05: five percent more at five sixths than at one sixth), `handle_growth` (by how many
asyncio tasks, threads or open files there were more, whichever grew most), `runs`, `unexpected` (runs that ended
otherwise than they should), and `rss_mb`, `tasks`, `threads`, `files` at five sixths.

    python benchmarks/soak.py [--minutes 60] [--quick] [--json -]

`--quick` warms up for 15 seconds that do not count and measures for 36.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from _report import Figures, finish, parser, table

from crewgraph import Task, TaskGraph, TaskResult
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import RunWaiting, TaskFailed, ToolError
from crewgraph.runtime.events import (
    Answer,
    Effect,
    PlanMade,
    RunCancelled,
    RunErred,
    RunFinished,
    RunPaused,
    RunStarted,
)
from crewgraph.runtime.past.fork import fork
from crewgraph.runtime.policy import Retry
from crewgraph.runtime.reading.questions import open_questions
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store, open_store

if TYPE_CHECKING:
    from crewgraph.runtime.journalling.journal import Journal

LANES, KEEP_S, SEED = 8, 20.0, 11


def plan(kind: str, chance: random.Random) -> tuple[Task, ...]:
    """Eight tasks of 0 to 3 ms; the third one is what its kind says."""
    retry = Retry(attempts=3, wait=0.001, jitter=0)
    tasks = [Task(id="t0", description="", args={"n": chance.randrange(1000), "do": "plain"})]
    for n in range(1, 8):
        others = set(chance.sample(range(n), min(n, 2))) | ({3} if n == 7 else set())
        needs = tuple(f"t{m}" for m in sorted(others))
        do = kind if n == 3 else "plain"
        tasks.append(
            Task(
                id=f"t{n}",
                description="",
                args={"n": f"${needs[0]}", "do": do},
                depends_on=needs,
                retry=retry if do in ("retries", "fails") else None,
                approval=do == "waits",
            )
        )
    return tuple(tasks)


class Worker:
    """Carries a task out by two steps, as its `do` says; `effect` is what the second step is. One for each run."""

    def __init__(self, effect: Effect = "once") -> None:
        self.effect = effect
        self.tries: Counter[str] = Counter()
        self.third = asyncio.Event()
        """The third task is at work: the moment to cancel."""

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        number, do = int(str(task.args["n"])), task.args["do"]

        async def look() -> dict[str, Any]:
            await asyncio.sleep(number % 4 / 1000)
            return {"n": number, "text": "what a tool says " * 20}

        async def act() -> int:
            self.tries[task.id] += 1
            if do == "fails" or (do == "retries" and self.tries[task.id] < 3):
                raise ToolError("nobody is there")
            if do == "cancelled":
                self.third.set()
                await asyncio.sleep(0.002)
            return number + 1

        await ctx.step("look", look, inputs={"n": number, "why": "because of the question " * 5})
        if do == "grows":
            more = [Task(id=f"more{n}", description="", args={"n": n, "do": "plain"}) for n in range(3)]
            await ctx.add_tasks(more, then=("t7",))
        return TaskResult(value=await ctx.step("act", act, inputs={"n": number}, effect=self.effect))


@dataclass
class Soak:
    """The lanes, and what they have done."""

    store: Store
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    async def lane(self, until: Callable[[], bool]) -> None:
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "plain": self.plain,
            "retries": self.retries,
            "grows": self.grows,
            "fails": self.fails,
            "cancelled": self.cancelled,
            "waits": self.waits,
            "replayed": self.replayed,
            "forked": self.forked,
        }
        while not until():
            kind = self.chance.choice(list(kinds))
            try:
                await kinds[kind]()
            except Exception as error:
                self.unexpected.append(f"{kind}: {type(error).__name__}: {error}")
            self.done[kind] += 1

    async def plain(self) -> None:
        await self.run("plain")

    async def retries(self) -> None:
        await self.run("retries")

    async def grows(self) -> None:
        await self.run("grows")

    async def fails(self) -> None:
        try:
            await self.run("fails")
        except TaskFailed:
            return
        raise AssertionError("a run that fails did not")

    async def cancelled(self) -> None:
        """Cancelled in the middle of its third task, then resumed. A `once` step at work would be in doubt."""
        worker = Worker("read_only")
        journal = await self.store.create_run("soak", "go")
        running = asyncio.create_task(self.carry_out(journal, "cancelled", worker))
        await worker.third.wait()
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()
            return
        await self.resume(journal.run_id, "read_only")

    async def waits(self) -> None:
        journal = await self.store.create_run("soak", "go")
        try:
            await self.carry_out(journal, "waits", Worker())
        except RunWaiting:
            (question,) = open_questions(await self.store.events(journal.run_id))
            await self.store.answer(journal.run_id, question.key, Answer(decision="approve"))
            await self.resume(journal.run_id)
        else:
            raise AssertionError("a run that waits for a person did not")

    async def replayed(self) -> None:
        run_id = await self.run("plain")
        before = self.answer_of(await self.store.events(run_id))
        ctx = await open_replay(self.store, run_id)
        graph = self.graph_of(await self.store.events(run_id))
        results = await execute(graph, Worker(), ctx)
        await ctx.journal.aclose()
        if str(results["t7"].value) != before:
            raise AssertionError("a replay gave another answer")

    async def forked(self) -> None:
        run_id = await self.run("plain")
        made = await fork(self.store, run_id, at="t5", set={"args.n": 5000})
        await self.resume(made.id)

    async def run(self, kind: str) -> str:
        journal = await self.store.create_run("soak", "go")
        await self.carry_out(journal, kind, Worker())
        return journal.run_id

    async def resume(self, run_id: str, effect: Effect = "once") -> None:
        graph = self.graph_of(await self.store.events(run_id))
        await self.carry_out(await self.store.open_run(run_id), "", Worker(effect), graph)

    async def carry_out(
        self, journal: Journal, kind: str, worker: Worker, graph: TaskGraph | None = None
    ) -> None:
        async with journal:
            ctx = RunContext(journal)
            if graph is None:
                tasks = plan(kind, self.chance)
                graph = TaskGraph(tasks)
                await ctx.emit(RunStarted(crew="soak", request="go"))
                await ctx.emit(PlanMade(tasks=tasks, strategy="authored"))
            try:
                results = await execute(graph, worker, ctx)
            except asyncio.CancelledError:
                await asyncio.shield(ctx.emit(RunCancelled()))
                raise
            except RunWaiting as error:
                await ctx.emit(RunPaused(reason=str(error)))
                raise
            except TaskFailed as error:
                await ctx.emit(RunErred(error=str(error), code=error.code))
                raise
            await ctx.emit(RunFinished(answer=str(results["t7"].value)))

    @staticmethod
    def graph_of(events: list[Any]) -> TaskGraph:
        return TaskGraph(next(e for e in reversed(events) if isinstance(e, PlanMade)).tasks)

    @staticmethod
    def answer_of(events: list[Any]) -> str:
        return next(e for e in reversed(events) if isinstance(e, RunFinished)).answer


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    at: float
    rss_mb: float
    tasks: float
    threads: float
    files: float


def sample(process: psutil.Process, at: float) -> Sample:
    return Sample(
        at,
        process.memory_info().rss / 2**20,
        len(asyncio.all_tasks()),
        process.num_threads(),
        process.num_fds(),
    )


def around(samples: list[Sample], at: float, width: float) -> Sample:
    """The middle of the samples in a stretch around a moment."""
    near = [s for s in samples if abs(s.at - at) <= width]
    return Sample(
        at, *(statistics.median(getattr(s, n) for s in near) for n in ("rss_mb", "tasks", "threads", "files"))
    )


async def soak(folder: Path, warm_up: float, seconds: float) -> tuple[Figures, list[Sample], Soak]:
    """Warm up, then measure for so many seconds."""
    samples: list[Sample] = []
    process = psutil.Process()
    began = time.monotonic()
    end = began + warm_up + seconds
    async with open_store(folder / "runs.db") as store:
        at_work = Soak(store, random.Random(SEED))

        async def watch() -> None:
            pruned = time.monotonic()
            while (now := time.monotonic()) < end:
                samples.append(sample(process, now - began - warm_up))
                if now - pruned > KEEP_S / 2:
                    pruned = now
                    await store.prune(time.time() - KEEP_S)
                await asyncio.sleep(0.2)

        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            for _ in range(LANES):
                group.create_task(at_work.lane(lambda: time.monotonic() >= end))
        gc.collect()
        left = len(asyncio.all_tasks()) - 1
    early, late = (around(samples, seconds * part, seconds / 12) for part in (1 / 6, 5 / 6))
    figures = {
        "memory_growth": late.rss_mb / early.rss_mb - 1,
        "handle_growth": max(getattr(late, n) - getattr(early, n) for n in ("tasks", "threads", "files")),
        "runs": sum(at_work.done.values()),
        "unexpected": len(at_work.unexpected),
        "tasks_left": left,
        "rss_mb": late.rss_mb,
        "tasks": late.tasks,
        "threads": late.threads,
        "files": late.files,
    }
    return figures, [early, late], at_work


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="15 s of warming up, 36 s measured")
    flags.add_argument("--minutes", type=float, default=60.0, help="how long to go on (60)")
    options = flags.parse_args()
    warm_up, seconds = (15.0, 36.0) if options.quick else (0.0, options.minutes * 60)
    with tempfile.TemporaryDirectory() as folder:
        figures, points, at_work = asyncio.run(soak(Path(folder), warm_up, seconds))
        size = sum(f.stat().st_size for f in Path(folder).iterdir())
    head = ("", "memory, MB", "asyncio tasks", "threads", "open files")
    rows = [
        (f"after {p.at / 60:.1f} min", p.rss_mb, int(p.tasks), int(p.threads), int(p.files)) for p in points
    ]
    table(f"{figures['runs']:,.0f} runs in {seconds / 60:.1f} min, {LANES} at once", head, rows)
    table("Runs of each kind", ("", "runs"), sorted(at_work.done.items()))
    print(
        f"\nmemory {figures['memory_growth']:+.1%} (bar: within 5 % over an hour), "
        f"handles {figures['handle_growth']:+.0f}, tasks left at the end: {figures['tasks_left']:.0f}, "
        f"database {size / 2**20:.1f} MB"
    )
    for said, times in Counter(at_work.unexpected).most_common(5):
        print(f"unexpected, {times} times: {said[:300]}")
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
