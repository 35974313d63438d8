"""What stops a run stops all of it at once; what has finished is safe before anything is said of the run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import (
    BudgetExceeded,
    RunWaiting,
    StepInDoubt,
    StoreError,
    TaskFailed,
    ToolError,
)
from crewgraph.runtime.events import Event
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def side_by_side(*errors: BaseException) -> Any:
    """A worker whose parts, in a group of their own, all fail."""

    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "slow":
            await asyncio.sleep(9)
            return 1

        async def part(error: BaseException) -> None:
            raise error

        async with asyncio.TaskGroup() as group:
            for error in errors:
                group.create_task(part(error))
        raise AssertionError("never")

    return worker


def test_of_errors_side_by_side_the_one_that_counts_is_told(trial: Any) -> None:
    with pytest.raises(TaskFailed, match="'a' failed: no such row"):
        trial.sitting([task("a"), task("slow")], side_by_side(ToolError("no such row")))
    assert trial.ids("task_finished") == ["slow"]
    with pytest.raises(StepInDoubt, match="may have"):
        trial.sitting([task("b")], side_by_side(ValueError("no"), StepInDoubt("it may have happened")))


@pytest.mark.parametrize("error", [BudgetExceeded("0 tokens left"), StoreError("disk full")])
def test_what_concerns_the_run_stops_it_at_once(trial: Any, error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        trial.sitting([task("a"), task("slow"), task("b", "a")], side_by_side(ValueError("no"), error))
    assert trial.seconds == 0
    assert trial.of("task_erred") == trial.of("task_finished") == []


def test_a_worker_that_gives_no_result_has_failed() -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        return {"no": "result"}

    with pytest.raises(TaskFailed, match="its worker gave dict and not a TaskResult"):
        asyncio.run(execute(TaskGraph([task("a")]), worker, RunContext(Journal("r-test"))))


def test_cancelled_workers_that_still_finish_are_kept_and_nothing_new_begins(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "stop":
            await asyncio.sleep(1)
            raise StoreError("disk full")
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            return "in time"

    with pytest.raises(StoreError, match="disk full"):
        trial.sitting([task("stop"), task("a"), task("after", "a")], worker)
    assert trial.ids("task_finished") == ["a"]
    assert sorted(trial.done) == ["a", "stop"]


def test_a_flush_that_fails_is_the_runs_failure(trial: Any) -> None:
    async def full() -> None:
        raise StoreError("The disk is full.")

    trial.tape.flush = full
    with pytest.raises(StoreError, match="disk is full"):
        trial.sitting([task("a")])


@pytest.mark.parametrize("ending", ["result", "failure", "question", "budget"])
async def test_everything_is_safe_when_the_run_is_over(store: Store, ending: str) -> None:
    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        if work.id == "last":
            if ending == "failure":
                raise ValueError("broken")
            if ending == "question":
                await ctx.ask("May I?")
            if ending == "budget":
                raise BudgetExceeded("0 tokens left")
        return TaskResult(value=work.id)

    graph = TaskGraph([*(task(f"t{n}") for n in range(20)), task("last", "t0")])
    heard: list[Event] = []
    async with await store.create_run("c", "r") as journal:
        run = execute(graph, worker, RunContext(journal, listeners=[heard.append]))
        if ending == "result":
            await run
        else:
            with pytest.raises((TaskFailed, RunWaiting, BudgetExceeded)):
                await run
        safe = await store.rows(journal.run_id)
        assert sum(row.kind == "task_finished" for row in safe) >= (1 if ending == "budget" else 20)
        assert [row.kind for row in safe] == [event.kind for event in heard]
