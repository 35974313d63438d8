"""A replay names the first thing that is otherwise, and ends as its run did, however that was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crewgraph.runtime.budget import Budget, Cost
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import (
    BudgetExceeded,
    CrewgraphError,
    ReplayDiverged,
    RunWaiting,
    StepInDoubt,
    TaskFailed,
    ToolError,
)
from crewgraph.runtime.events import PlanMade, RunCancelled, RunErred, RunFinished, RunPaused, RunStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.policy import Allowance, Retry
from crewgraph.runtime.reading.replay import open_replay, plan_again, to_its_end
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store

Code = Callable[[Task, RunContext], Awaitable[TaskResult]]
SIDE_BY_SIDE = [Task(id=name, description=name) for name in "abcd"]


async def look(ctx: RunContext, name: str, city: str, **more: Any) -> Any:
    """One step that takes a moment, so that the steps of tasks side by side are journalled in turns."""

    async def effect() -> str:
        await asyncio.sleep(0)
        return f"{name} {city}"

    return await ctx.step(name, effect, inputs={"city": city}, **more)


async def run(store: Store, tasks: list[Task], code: Code, *, budget: Budget | None = None) -> None:
    """A whole run, ended as an orchestrator ends it."""
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal, budget=budget)
        await ctx.emit(RunStarted(crew="c", request="r"))
        await ctx.emit(PlanMade(tasks=tuple(tasks), strategy="crew"))
        try:
            async with ctx.deadline():
                await execute(TaskGraph(tasks), code, ctx)
        except (RunWaiting, StepInDoubt) as error:
            await ctx.emit(RunPaused(reason=str(error)))
            raise
        except CrewgraphError as error:
            await ctx.emit(RunErred(error=str(error), code=error.code))
            raise
        except asyncio.CancelledError:
            await ctx.emit(RunCancelled())
            raise
        await ctx.emit(RunFinished(answer="x"))


async def replay(store: Store, tasks: list[Task], code: Code) -> dict[str, TaskResult]:
    ctx = await open_replay(store, "last")
    with to_its_end(ctx):
        return await execute(TaskGraph(tasks), code, ctx)


@pytest.mark.parametrize("quickest", "abcd")
@pytest.mark.parametrize(("unchanged", "first"), [("", "c"), ("c", "d"), ("cd", "b")])
async def test_of_several_tasks_that_do_otherwise_the_first_in_the_journal_is_named(
    store: Store, quickest: str, unchanged: str, first: str
) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal)
        await ctx.emit(RunStarted(crew="c", request="r"))
        for name in "abcd":
            await look(ctx.for_task(name), "begin", name)
        for name in "cdba":
            await look(ctx.for_task(name), "look", "Rome")

    async def code(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "begin", task.id)
        if task.id != quickest:
            await asyncio.sleep(0)
        return TaskResult(value=await look(ctx, "look", "Rome" if task.id in unchanged else "Oslo"))

    with pytest.raises(
        ReplayDiverged, match=rf"task '{first}' now asks for step 'look' with other inputs.*'Oslo'"
    ):
        await replay(store, SIDE_BY_SIDE, code)


async def test_a_step_that_is_no_longer_asked_for_is_named(store: Store) -> None:
    async def before(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "check", "Rome")
        return TaskResult(value=await look(ctx, "look", "Rome"))

    async def now(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(value=await look(ctx, "look", "Rome"))

    await run(store, SIDE_BY_SIDE[:1], before)
    assert (await replay(store, SIDE_BY_SIDE[:1], before))["a"].value == "look Rome"
    with pytest.raises(
        ReplayDiverged, match=r"task 'a' no longer asks for step 'check' \(\w{32}\), which the journal"
    ):
        await replay(store, SIDE_BY_SIDE[:1], now)


async def test_what_an_earlier_attempt_did_and_a_later_one_did_not_is_no_difference(store: Store) -> None:
    broken = True

    async def code(task: Task, ctx: RunContext) -> TaskResult:
        if broken:
            await look(ctx, "check", "Rome")
            raise ToolError("not today")
        return TaskResult(value=await look(ctx, "look", "Rome"))

    with pytest.raises(TaskFailed):
        await run(store, SIDE_BY_SIDE[:1], code)
    broken = False
    async with await store.open_run("last") as journal:
        await execute(TaskGraph(SIDE_BY_SIDE[:1]), code, RunContext(journal))
    assert (await replay(store, SIDE_BY_SIDE[:1], code))["a"].value == "look Rome"


async def test_a_task_that_fails_now_and_did_not_or_did_and_does_not_is_named(store: Store) -> None:
    broken = False

    async def code(task: Task, ctx: RunContext) -> TaskResult:
        found = await look(ctx, "look", task.id)
        if broken:
            raise ValueError("spelled wrong")
        return TaskResult(value=found)

    await run(store, SIDE_BY_SIDE[:1], code)
    broken = True
    with pytest.raises(
        ReplayDiverged,
        match=r"task 'a' read the same steps and now fails \(ValueError: spelled wrong\) where .* a result",
    ):
        await replay(store, SIDE_BY_SIDE[:1], code)
    with pytest.raises(TaskFailed):
        await run(store, SIDE_BY_SIDE[:1], code)
    with pytest.raises(TaskFailed, match="spelled wrong"):
        await replay(store, SIDE_BY_SIDE[:1], code)
    broken = False
    with pytest.raises(
        ReplayDiverged,
        match=r"task 'a' .* now gives \('look a'\) where the journal holds a failure \(ValueError",
    ):
        await replay(store, SIDE_BY_SIDE[:1], code)


async def test_retries_are_read_back_as_they_came_out(store: Store) -> None:
    tries = 0

    async def code(task: Task, ctx: RunContext) -> TaskResult:
        async def flaky() -> str:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise ToolError("not yet")
            return "at last"

        await look(ctx, "begin", task.id)
        return TaskResult(value=await ctx.step("try", flaky, inputs={}))

    task = Task(id="a", description="a", retry=Retry(attempts=3, wait=0))
    await run(store, [task], code)
    tries = 0
    assert (await replay(store, [task], code))["a"].value == "at last"
    assert tries == 0


async def test_a_run_whose_budget_was_used_up_ends_so_again(store: Store) -> None:
    async def code(task: Task, ctx: RunContext) -> TaskResult:
        for city in ("Rome", "Oslo", "Paris"):
            await look(ctx, "look", city, cost=lambda _: Cost(tokens=10))
        return TaskResult(value=1)

    with pytest.raises(BudgetExceeded) as then:
        await run(store, SIDE_BY_SIDE, code, budget=Budget(tokens=50))
    with pytest.raises(BudgetExceeded) as again:
        await replay(store, SIDE_BY_SIDE, code)
    assert str(again.value) == str(then.value)

    async def otherwise(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "look", "Rome")
        await look(ctx, "look", "Bern")
        return TaskResult(value=1)

    with pytest.raises(ReplayDiverged, match="'Oslo' → 'Bern'"):
        await replay(store, SIDE_BY_SIDE, otherwise)


async def test_a_task_whose_own_time_or_allowance_was_used_up_fails_so_again_and_others_go_on(
    store: Store,
) -> None:
    async def code(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "begin", task.id, cost=lambda _: Cost(tokens=10))
        if task.id == "slow":
            await ctx.step("wait", lambda: asyncio.sleep(60), inputs={})
        return TaskResult(value=await look(ctx, "look", task.id))

    tasks = [
        Task(id="slow", description="", timeout=0.05),
        Task(id="poor", description="", allowance=Allowance(tokens=5)),
        Task(id="fine", description=""),
    ]
    said: list[str] = []
    for how in (run, replay):
        with pytest.raises(TaskFailed) as failed:
            await how(store, tasks, code)
        said.append(str(failed.value))
    assert said[0] == said[1]
    assert "1 more failed" in said[0]


async def test_a_run_that_was_cancelled_replays_up_to_there_and_says_so(store: Store) -> None:
    waiting = asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.sleep(60)

    async def code(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "begin", task.id)
        if task.id == "b":
            await ctx.step("wait", wait, inputs={})
        return TaskResult(value=await look(ctx, "look", task.id))

    going = asyncio.create_task(run(store, SIDE_BY_SIDE, code))
    await waiting.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    read: list[str] = []

    async def reading(task: Task, ctx: RunContext) -> TaskResult:
        try:
            return await code(task, ctx)
        finally:
            read.append(task.id)

    with pytest.raises(CrewgraphError, match=r"Run .* was cancelled here: what was finished is kept"):
        await replay(store, SIDE_BY_SIDE, reading)
    assert sorted(read) == ["a", "b", "c", "d"]


async def test_a_run_that_waits_or_is_in_doubt_does_so_again(store: Store) -> None:
    async def asking(task: Task, ctx: RunContext) -> TaskResult:
        await look(ctx, "begin", task.id)
        if task.id == "b":
            await ctx.ask("May I?")
        return TaskResult(value=1)

    async def doubtful(task: Task, ctx: RunContext) -> TaskResult:
        async def lost() -> None:
            raise ConnectionError("no answer")

        await look(ctx, "begin", task.id)
        if task.id == "b":
            await ctx.step("pay", lost, inputs={}, effect="once")
        return TaskResult(value=1)

    said: list[str] = []
    for how in (run, replay):
        with pytest.raises(RunWaiting) as waiting:
            await how(store, SIDE_BY_SIDE, asking)
        said.append(str(waiting.value))
    assert said[0] == said[1]
    said.clear()
    for how in (run, replay):
        with pytest.raises(
            StepInDoubt, match=r"Step 'pay' of task 'b' .* may have happened: .*settle step"
        ) as doubt:
            await how(store, SIDE_BY_SIDE, doubtful)
        said.append(str(doubt.value).partition("settle")[2])
    assert said[0] == said[1]


async def test_a_plan_that_comes_out_otherwise_is_named_unless_the_fork_was_given_it(store: Store) -> None:
    async def code(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(value=1)

    await run(store, SIDE_BY_SIDE, code)
    ctx = await open_replay(store, "last")
    made = PlanMade(tasks=tuple(SIDE_BY_SIDE), strategy="crew", notes=("other words",))
    assert plan_again(ctx, made).tasks == made.tasks
    other = made.model_copy(update={"tasks": (*SIDE_BY_SIDE[:3], Task(id="d", description="other"))})
    with pytest.raises(
        ReplayDiverged,
        match=r"the same steps and now makes another plan: plan.tasks\[3\].description: 'd' → 'other'",
    ):
        plan_again(ctx, other)
    from crewgraph.runtime.past.fork import fork

    await fork(store, "last", at="d", set={"description": "given"})
    given = plan_again(await open_replay(store, "last"), made)
    assert given.tasks[3].description == "given"
