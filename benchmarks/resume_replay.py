"""Going on with a run of 10,000 steps that was broken off, and going through it again.

Two shapes of run: 1,000 tasks in 20 lanes, of 10 steps each (a resume reads finished tasks back whole), and one task
of 10,000 steps (a resume reads every step back). A first process carries the run out on SQLite and dies by SIGKILL
at its last step; a second one resumes it; a third one replays it. The clock starts before `open_run` (the store is
open, the program is loaded) and stops when the first live step's function is called. Replaying counts reading the
run, building its index and the code that runs again.

Figures, medians, the worse of the two shapes: `resume_s`, `replay_steps_per_s`; each shape's own as
`tasks_resume_s`, `steps_resume_s` and so on.

    python benchmarks/resume_replay.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _report import Figures, finish, in_child, medians, parser, table

if TYPE_CHECKING:
    from crewgraph import Task, TaskGraph, TaskResult
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.worker import Worker

STEPS, LANES = 10_000, 20
SHAPES = {"tasks": (1000, 10), "steps": (1, 10_000)}


def graph_of(shape: str) -> TaskGraph:
    from crewgraph import Task, TaskGraph

    tasks, _ = SHAPES[shape]
    return TaskGraph(
        [
            Task(id=f"t{n}", description="", depends_on=(f"t{n - LANES}",) if n >= LANES else ())
            for n in range(tasks)
        ]
    )


class Work:
    """Does the steps of a task, counts those that are live, and dies at the last one if it is told to."""

    def __init__(self, shape: str, *, dies: bool = False) -> None:
        self._steps = SHAPES[shape][1]
        self._dies = dies
        self.live = 0
        self.first_live = 0.0

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        from crewgraph import TaskResult

        total = 0
        for n in range(self._steps):
            inputs = {"query": f"number {n} of {task.id}", "limit": 5}
            found: Any = await ctx.step("search", lambda: self._search(ctx), inputs=inputs)
            total += found["found"]
        return TaskResult(value=total)

    async def _search(self, ctx: RunContext) -> dict[str, Any]:
        self.live += 1
        self.first_live = self.first_live or time.perf_counter()
        if self._dies and self.live == STEPS:
            await ctx.flush()  # so that all steps before this one are there to be read back
            os.kill(os.getpid(), signal.SIGKILL)
        return {"found": 7, "text": "a result of ordinary length, as tools give them"}


async def begin(folder: Path, shape: str) -> None:
    """Carry the run out, up to its last step."""
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import RunStarted
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    work: Worker = Work(shape, dies=True)
    async with open_store(folder / "runs.db") as store:
        ctx = RunContext(await store.create_run("bench", "go", run_id="r-bench"))
        await ctx.emit(RunStarted(crew="bench", request="go"))
        await execute(graph_of(shape), work, ctx, limit=LANES)


async def resume(folder: Path, shape: str) -> Figures:
    from crewgraph.runtime.context import RunContext
    from crewgraph.runtime.events import RunFinished
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    work, graph = Work(shape), graph_of(shape)
    async with open_store(folder / "runs.db") as store:
        gc.collect()
        began = time.perf_counter()
        async with await store.open_run("r-bench") as journal:
            opened = time.perf_counter()
            ctx = RunContext(journal)
            await execute(graph, work, ctx, limit=LANES)
            await ctx.emit(RunFinished(answer="done"))
    return {"resume_s": work.first_live - began, "open_s": opened - began, "live": work.live}


async def replay(folder: Path, shape: str) -> Figures:
    from crewgraph.runtime.reading.replay import open_replay
    from crewgraph.runtime.scheduler import execute
    from crewgraph.runtime.store import open_store

    work, graph = Work(shape), graph_of(shape)
    async with open_store(folder / "runs.db") as store:
        gc.collect()
        began = time.perf_counter()
        ctx = await open_replay(store, "r-bench")
        await execute(graph, work, ctx, limit=LANES)
        seconds = time.perf_counter() - began
    return {"replay_s": seconds, "replay_steps_per_s": STEPS / seconds, "replay_live": work.live}


def one(shape: str) -> Figures:
    """One run begun, killed, resumed and replayed, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        died = subprocess.run(
            [sys.executable, __file__, "--child", f"begin:{shape}", "--folder", folder],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if died.returncode != -signal.SIGKILL:
            raise RuntimeError(
                f"The run was to be killed and ended with {died.returncode}: {died.stderr[-800:]}"
            )
        found: Figures = {}
        for part in ("resume", "replay"):
            found |= in_child(__file__, f"{part}:{shape}", "--folder", folder)
        return found


def main() -> int:
    """Print the table."""
    flags = parser(__doc__ or "", quick="each once instead of five times")
    flags.add_argument("--folder", type=Path, help="of a --child: where the database is")
    options = flags.parse_args()
    if options.child:
        part, _, shape = options.child.partition(":")
        do: Any = {"begin": begin, "resume": resume, "replay": replay}[part]
        print(json.dumps(asyncio.run(do(options.folder, shape))))
        return 0
    found = {shape: medians([one(shape) for _ in range(1 if options.quick else 5)]) for shape in SHAPES}
    rows: list[tuple[object, ...]] = [
        (
            f"{tasks:,} task{'s' if tasks > 1 else ''} of {steps:,} steps",
            f["resume_s"],
            f["replay_steps_per_s"],
        )
        for shape, (tasks, steps) in SHAPES.items()
        for f in (found[shape],)
    ]
    rows.append(("  bar", 1.0, 10_000))
    table(f"A run of {STEPS:,} steps", ("", "resume, s", "replay, steps/s"), rows)
    for shape, figures in found.items():
        print(
            f"{shape}: opening took {figures['open_s']:.3f} s of the resume; {figures['live']:.0f} steps were live"
            f" in the resume, {figures['replay_live']:.0f} in the replay"
        )
    all_of_them = {f"{shape}_{name}": value for shape, f in found.items() for name, value in f.items()}
    worst = {
        "resume_s": max(f["resume_s"] for f in found.values()),
        "replay_steps_per_s": min(f["replay_steps_per_s"] for f in found.values()),
    }
    return finish(options, worst | all_of_them)


if __name__ == "__main__":
    sys.exit(main())
