"""History tells a run from its events: each task's state, cost, steps and notes, the plan and the answer."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph.runtime.budget import Cost
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import TaskFailed
from crewgraph.runtime.events import Event, PlanMade, RunErred, RunFinished, RunStarted, TaskStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.reading.history import summarise
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store

TASKS = (
    Task(id="a", description="look", agent="scout", tool="lookup"),
    Task(id="b", description="count", agent="clerk", args={"n": "$a"}),
    Task(id="c", description="write", depends_on=("b",)),
)


async def run_once(store: Store, effects: Any, broken: bool) -> None:
    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        await ctx.note(f"note of {task.id}")
        if task.id == "b" and broken:
            await ctx.step("count", effects.failing(ValueError("no")), inputs={"b": 1})
        value = await ctx.step(
            "work", effects.giving(5), inputs={}, cost=lambda _: Cost(tokens=10), effect="once"
        )
        return TaskResult(value=value, text="five")

    first = not await store.list_runs()
    async with await (store.create_run("crew", "how many?") if first else store.open_run("last")) as journal:
        ctx = RunContext(journal)
        if first:
            await ctx.emit(RunStarted(crew="crew", request="how many?"))
        await ctx.step("intent", effects.giving("count"), inputs={}, cost=lambda _: Cost(tokens=3))
        await ctx.emit(PlanMade(tasks=TASKS, strategy="model", notes=("short",)))
        try:
            results = await execute(TaskGraph(TASKS), worker, ctx)
        except TaskFailed as error:
            await ctx.emit(RunErred(error=str(error), code=error.code))
        else:
            answer = results["c"].text
            await ctx.emit(
                RunFinished(answer=answer, evidence=("row 5",), tokens=ctx.spent.tokens, seconds=1.5)
            )


async def test_a_failed_run_shows_what_failed_and_what_was_skipped(store: Store, effects: Any) -> None:
    await run_once(store, effects, broken=True)
    run = summarise(await store.events("last"))
    assert (run.crew, run.request, run.outcome) == ("crew", "how many?", "failed")
    assert (run.strategy, run.plan_notes, run.plan) == ("model", ("short",), TASKS)
    assert [(task.id, task.state) for task in run.tasks] == [
        ("a", "finished"),
        ("b", "failed"),
        ("c", "skipped"),
    ]
    a, b, c = run.tasks
    assert (a.agent, a.tool, a.tokens, a.notes) == ("scout", "lookup", 10, ["note of a"])
    assert a.result == TaskResult(value=5, text="five")
    assert [(step.name, step.state, step.effect, step.output) for step in a.steps] == [
        ("work", "finished", "once", 5)
    ]
    assert b.error == "ValueError: no"
    assert [(step.name, step.state, step.error) for step in b.steps] == [("count", "failed", "no")]
    assert c.error == "It needs 'b', which failed."
    assert [step.name for step in run.steps] == ["intent"]
    assert run.tokens == 13
    assert run.task("zzz") is None


async def test_a_resumed_run_shows_how_it_ended(store: Store, effects: Any) -> None:
    await run_once(store, effects, broken=True)
    await run_once(store, effects, broken=False)
    events = await store.events("last")
    run = summarise(events)
    assert (run.outcome, run.answer, run.evidence, run.resumed, run.error) == (
        "finished",
        "five",
        ("row 5",),
        1,
        "",
    )
    assert [task.state for task in run.tasks] == ["finished"] * 3
    assert run.tokens == 33
    assert run.seconds == 1.5


@pytest.mark.parametrize("upto", range(0, 30, 3))
async def test_a_run_under_way_can_be_told_at_any_moment(store: Store, effects: Any, upto: int) -> None:
    await run_once(store, effects, broken=False)
    events: list[Event] = (await store.events("last"))[:upto]
    assert summarise(events).outcome in ("running", "finished")


def test_a_task_heard_of_before_its_plan_is_told_once() -> None:
    run = summarise([TaskStarted(task_id="b"), PlanMade(tasks=TASKS, strategy="x")])
    assert [(task.id, task.state) for task in run.tasks] == [
        ("a", "waiting"),
        ("b", "running"),
        ("c", "waiting"),
    ]
