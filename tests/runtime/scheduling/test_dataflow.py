"""A task starts the moment its inputs are done: no earlier, no later, and no barrier between levels."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidInput, TaskFailed
from crewgraph.runtime.events import Event, TaskErred, TaskFinished, TaskSkipped, TaskStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import critical_path, execute


def task(name: str, *needs: str, **args: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, args=args)


def context(*listeners: Any) -> RunContext:
    return RunContext(Journal("r-test"), listeners=listeners)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[TaskGraph, dict[str, float]]:
    size = draw(st.integers(1, 25))
    tasks, seconds = [], {}
    for number in range(size):
        earlier = [f"t{other}" for other in range(number)]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=4)) if earlier else []
        tasks.append(task(f"t{number}", *needs))
        seconds[f"t{number}"] = draw(st.integers(1, 50)) / 100
    order = draw(st.permutations(tasks))
    return TaskGraph(order), seconds


def longest_seconds(graph: TaskGraph, seconds: dict[str, float]) -> float:
    end: dict[str, float] = {}
    for task_id in graph.order:
        end[task_id] = seconds[task_id] + max((end[need] for need in graph[task_id].needs), default=0.0)
    return max(end.values())


@given(drawn=graphs(), limit=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_each_task_starts_after_its_inputs_and_never_too_many_at_once(
    virtual: Any, drawn: tuple[TaskGraph, dict[str, float]], limit: int
) -> None:
    graph, seconds = drawn
    done: set[str] = set()
    running = 0

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        nonlocal running
        running += 1
        assert running <= limit
        assert set(graph[work.id].needs) <= done
        assert set(ctx.results) == set(graph[work.id].needs)
        await asyncio.sleep(seconds[work.id])
        running -= 1
        done.add(work.id)
        return TaskResult(value=work.id)

    results = virtual(execute(graph, worker, context(), limit=limit))
    assert {name: result.value for name, result in results.items()} == {t.id: t.id for t in graph.tasks}


@given(drawn=graphs())
@settings(max_examples=60, deadline=None)
def test_the_makespan_is_the_critical_path(virtual: Any, drawn: tuple[TaskGraph, dict[str, float]]) -> None:
    graph, seconds = drawn

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        await asyncio.sleep(seconds[work.id])
        return TaskResult()

    async def timed() -> float:
        began = asyncio.get_running_loop().time()
        await execute(graph, worker, context(), limit=len(graph))
        return asyncio.get_running_loop().time() - began

    assert virtual(timed()) == pytest.approx(longest_seconds(graph, seconds), abs=1e-6)


def test_the_longest_chain_goes_first(virtual: Any) -> None:
    graph = TaskGraph([task("alone"), task("head"), task("middle", "head"), task("tail", "middle")])
    assert critical_path(graph) == {"alone": 1, "head": 3, "middle": 2, "tail": 1}
    started: list[str] = []

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        started.append(work.id)
        await asyncio.sleep(1)
        return TaskResult()

    virtual(execute(graph, worker, context(), limit=1))
    assert started == ["head", "middle", "alone", "tail"]


async def test_the_worker_gets_values_for_references_and_the_results_it_needs() -> None:
    seen: dict[str, Any] = {}

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        seen[work.id] = (work.args, dict(ctx.results))
        return TaskResult(value={"n": 7, "s": "$b"}, text="seven")

    graph = TaskGraph([task("a"), task("b", x="$a.n", y="$a.s"), task("c", "a")])
    await execute(graph, worker, context())
    # A value that looks like a reference is a value: it is not resolved again.
    assert seen["b"][0] == {"x": 7, "y": "$b"}
    assert seen["c"][1] == {"a": TaskResult(value={"n": 7, "s": "$b"}, text="seven")}


async def test_a_failure_skips_what_needs_it_and_nothing_else() -> None:
    events: list[Event] = []
    finished: list[str] = []

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        if work.id == "bad":
            raise ValueError("no such city")
        await asyncio.sleep(0)
        finished.append(work.id)
        return TaskResult()

    graph = TaskGraph(
        [task("bad"), task("next", "bad"), task("last", "next", "good"), task("good"), task("also", "good")]
    )
    with pytest.raises(TaskFailed, match=r"Task 'bad' failed.*2 that need it.*no such city") as caught:
        await execute(graph, worker, context(events.append))
    assert isinstance(caught.value.__cause__, ValueError)
    assert sorted(finished) == ["also", "good"]
    assert [e.task_id for e in events if isinstance(e, TaskErred)] == ["bad"]
    assert [e.task_id for e in events if isinstance(e, TaskSkipped)] == ["next", "last"]
    assert {e.task_id for e in events if isinstance(e, TaskFinished)} == {"also", "good"}


async def test_a_missing_field_fails_that_task_only() -> None:
    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(value={"n": 1})

    with pytest.raises(TaskFailed, match=r"'b' failed.*field 'm'"):
        await execute(TaskGraph([task("a"), task("b", x="$a.m")]), worker, context())


async def test_cancelling_stops_the_workers_waits_for_them_and_keeps_what_is_finished() -> None:
    events: list[Event] = []
    cleaned: list[str] = []
    begun = asyncio.Event()

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        if work.id == "quick":
            return TaskResult(value=1)
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(work.id)
        raise AssertionError("never")

    running = asyncio.create_task(
        execute(
            TaskGraph([task("quick"), task("slow"), task("after", "quick")]), worker, context(events.append)
        )
    )
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert set(cleaned) == {"slow", "after"}
    assert [e.task_id for e in events if isinstance(e, TaskFinished)] == ["quick"]


async def test_a_worker_that_cancels_itself_is_a_failure_and_not_a_hole() -> None:
    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        raise asyncio.CancelledError

    with pytest.raises(TaskFailed, match="cancelled itself"):
        await execute(TaskGraph([task("a"), task("b", "a")]), worker, context())


async def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 or more"):
        await execute(TaskGraph([]), None, context(), limit=0)  # type: ignore[arg-type]


async def test_an_empty_graph_is_done_at_once() -> None:
    assert await execute(TaskGraph([]), None, context()) == {}  # type: ignore[arg-type]


async def test_a_long_chain_and_a_wide_fan_fit(virtual: Any) -> None:
    chain = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, 2000))]
    fan = [task(f"f{n}", "t1999") for n in range(2000)]
    random.Random(1).shuffle(fan)

    async def worker(work: Task, ctx: RunContext) -> TaskResult:
        return TaskResult()

    started: list[Event] = []
    await execute(TaskGraph(chain + fan), worker, context(started.append), limit=16)
    assert sum(isinstance(event, TaskStarted) for event in started) == 4000


def test_that_a_task_is_done_again_is_noted_once(trial: Any) -> None:
    trial.sitting([task("a", n=1)])
    first = len(trial.tape.rows)
    trial.sitting([task("a", n=2)])
    (noted,) = trial.of("noted")
    assert "'a' is done again, for it is asked something else" in noted.text
    trial.sitting([task("a", n=2)], upto=first + 1)
    assert trial.rows("noted") == ["a"], "the sitting before broke off after it had said so"
    assert len(trial.of("noted")) == 1
