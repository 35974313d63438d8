"""A run stops cleanly when its budget is used up, says which limit it was, and keeps what was finished."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.budget import Budget, Cost, Meter
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import BudgetExceeded
from crewgraph.runtime.events import Event, TaskErred, TaskFinished
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.journalling.row import EventRow
from crewgraph.runtime.policy import Allowance
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store

CALL = Cost(tool_calls=1)


def ctx_with(budget: Budget, *listeners: Any) -> RunContext:
    return RunContext(Journal("r-test"), budget=budget, listeners=listeners)


async def test_tokens_are_refused_once_they_are_used_up(effects: Any) -> None:
    ctx = ctx_with(Budget(tokens=100))
    for number in range(2):
        await ctx.step("ask", effects.giving("x"), inputs=number, cost=lambda _: Cost(tokens=60))
    with pytest.raises(BudgetExceeded, match=r"budget of 100 tokens is used up \(120 used\)"):
        await ctx.step("ask", effects.giving("x"), inputs=3)
    assert len(effects.calls) == 2
    assert ctx.spent == Cost(tokens=120)


async def test_a_budget_of_nothing_allows_nothing(effects: Any) -> None:
    with pytest.raises(BudgetExceeded, match="0 tokens"):
        await ctx_with(Budget(tokens=0)).step("ask", effects.giving("x"), inputs=1)
    with pytest.raises(BudgetExceeded, match="0 tool calls"):
        await ctx_with(Budget(tool_calls=0)).step("use", effects.giving("x"), inputs=1, reserve=CALL)
    with pytest.raises(BudgetExceeded, match="0 seconds"):
        await ctx_with(Budget(seconds=0)).step("ask", effects.giving("x"), inputs=1)
    assert effects.calls == []


async def test_tool_calls_are_never_overrun_also_side_by_side() -> None:
    ctx = ctx_with(Budget(tool_calls=3))
    ran = 0

    async def use() -> None:
        nonlocal ran
        ran += 1
        await asyncio.sleep(0)

    outcomes = await asyncio.gather(
        *(ctx.step("use", use, inputs=n, cost=lambda _: CALL, reserve=CALL) for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 3
    assert ran == 3
    await ctx.step("ask", use, inputs="what is no tool call may go on")


async def test_a_step_that_failed_gives_back_what_it_reserved(effects: Any) -> None:
    ctx = ctx_with(Budget(tool_calls=1))
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            await ctx.step("use", effects.failing(OSError("down")), inputs=1, reserve=CALL)
    assert await ctx.step("use", effects.giving(1), inputs=1, reserve=CALL, cost=lambda _: CALL) == 1


async def test_seconds_stop_a_run_in_the_middle_of_a_step() -> None:
    ctx = ctx_with(Budget(seconds=0.05))

    async def slow() -> None:
        await asyncio.sleep(30)

    with pytest.raises(BudgetExceeded, match=r"budget of 0\.05 seconds is used up"):
        async with ctx.deadline():
            await ctx.step("ask", slow, inputs=1)


async def test_a_timeout_of_the_steps_own_is_not_the_budgets() -> None:
    ctx = ctx_with(Budget(seconds=30))
    with pytest.raises(TimeoutError):
        async with ctx.deadline(), asyncio.timeout(0.01):
            await asyncio.sleep(30)


async def test_without_a_limit_nothing_is_refused(effects: Any) -> None:
    ctx = ctx_with(Budget())
    async with ctx.deadline():
        await ctx.step("ask", effects.giving(1), inputs=1, cost=lambda _: Cost(10**9, 10**6))


@pytest.mark.parametrize("budget", [Budget(tokens=25), Budget(seconds=0.2)])
async def test_a_graph_stops_keeps_what_is_finished_and_can_be_resumed(budget: Budget, new_tape: Any) -> None:
    tape = new_tape()
    events: list[Event] = []

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        async def ask() -> str:
            await asyncio.sleep(0.06)
            return task.id

        answer = await ctx.step("ask", ask, inputs={}, cost=lambda _: Cost(tokens=10))
        return TaskResult(value=answer)

    graph = TaskGraph(
        [Task(id=f"t{n}", description="", depends_on=(f"t{n - 1}",) if n else ()) for n in range(6)]
    )
    ctx = RunContext(tape.journal(), budget=budget, listeners=[events.append])
    with pytest.raises(BudgetExceeded):
        await execute(graph, worker, ctx)
    assert [e.task_id for e in events if isinstance(e, TaskFinished)] == ["t0", "t1", "t2"]
    assert not any(isinstance(event, TaskErred) for event in events)
    calls = sum(row.kind == "step_intended" for row in tape.rows)
    results = await execute(graph, worker, RunContext(tape.journal()))
    assert [result.value for result in results.values()] == [f"t{n}" for n in range(6)]
    assert sum(row.kind == "step_finished" for row in tape.rows) == 6
    assert calls in (3, 4)


async def test_what_was_spent_before_a_crash_still_counts(store: Store, effects: Any) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal, budget=Budget(tokens=100, tool_calls=1)).for_task("t")
        await ctx.step(
            "use", effects.giving(1), inputs=1, cost=lambda _: Cost(tokens=100, tool_calls=1), reserve=CALL
        )
    async with await store.open_run(journal.run_id) as again:
        ctx = RunContext(again, budget=Budget(tokens=100, tool_calls=1)).for_task("t")
        assert await ctx.step("use", effects.giving(2), inputs=1) == 1
        assert ctx.spent == Cost(100, 1)
        with pytest.raises(BudgetExceeded, match="100 tokens"):
            await ctx.step("use", effects.giving(2), inputs=2)
        larger = RunContext(again, budget=Budget(tokens=500, tool_calls=1)).for_task("t")
        with pytest.raises(BudgetExceeded, match=r"1 tool calls is used up \(1 used\)"):
            await larger.step("use", effects.giving(2), inputs=2, reserve=CALL)


def test_seconds_count_work_and_not_the_pause_before_a_resume() -> None:
    def row(seq: int, at: float, kind: str, body: str = "{}") -> EventRow:
        return EventRow(seq, at, kind, "", "", body)

    journal = Journal(
        "r-test",
        [
            row(1, 1000.0, "run_started", '{"crew": "c", "request": "r"}'),
            row(2, 1003.0, "noted", '{"text": "x"}'),
            row(3, 5000.0, "run_resumed", '{"finished_steps": 0}'),
            row(4, 5002.5, "noted", '{"text": "y"}'),
        ],
    )
    assert journal.seconds == pytest.approx(5.5)
    clock = iter([0.0, 1.0])
    assert Meter(Budget(), seconds=5.5, clock=lambda: next(clock)).seconds == pytest.approx(6.5)


async def test_a_tasks_allowance_ends_the_task_and_not_its_neighbour(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"), budget=Budget(tokens=1000))
    task = ctx.for_task("t", allowance=Allowance(tokens=10))
    await task.step("a", effects.giving("x"), inputs=1, cost=lambda _: Cost(tokens=12))
    with pytest.raises(BudgetExceeded, match=r"The task t's budget of 10 tokens is used up \(12 used\)"):
        await task.step("a", effects.giving("x"), inputs=2)
    await ctx.for_task("u").step("a", effects.giving("x"), inputs=1)
    assert ctx.meter.spent.tokens == 12


async def test_what_a_task_spent_before_a_crash_counts_on_its_allowance(store: Any, effects: Any) -> None:
    async with await store.create_run("c", "r") as journal:
        task = RunContext(journal).for_task("t", allowance=Allowance(tokens=10))
        await task.step("a", effects.giving("x"), inputs=1, cost=lambda _: Cost(tokens=12))
    async with await store.open_run(journal.run_id) as journal:
        task = RunContext(journal).for_task("t", allowance=Allowance(tokens=10))
        with pytest.raises(BudgetExceeded):
            await task.step("a", effects.giving("x"), inputs=2)


async def test_money_is_counted_and_limited(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"), budget=Budget(money=0.3))
    for number in range(3):
        await ctx.step("a", effects.giving("x"), inputs=number, cost=lambda _: Cost(money=0.1))
    with pytest.raises(BudgetExceeded, match=r"budget of 0\.3 money is used up"):
        await ctx.step("a", effects.giving("x"), inputs=3)
    assert ctx.journal.spent.money == pytest.approx(0.3)


async def test_runs_of_one_tenant_share_its_budget(effects: Any) -> None:
    tenant = Meter(Budget(tool_calls=3), of="tenant")
    runs = [RunContext(Journal(f"r-{n}"), tenant=tenant) for n in range(2)]
    call = {"cost": lambda _: Cost(tool_calls=1), "reserve": Cost(tool_calls=1)}
    for ctx in (*runs, runs[0]):
        await ctx.step("a", effects.giving("x"), inputs=len(effects.calls), **call)
    with pytest.raises(BudgetExceeded, match="The tenant's budget of 3 tool calls"):
        await runs[1].step("a", effects.giving("x"), inputs=9, **call)
    assert len(effects.calls) == 3


async def test_a_soft_limit_is_told_once_and_asked_for_as_a_step(effects: Any) -> None:
    heard: list[Any] = []
    journal = Journal("r-test")
    ctx = RunContext(journal, budget=Budget(tokens=10, soft=0.5), listeners=[heard.append])
    assert not await ctx.frugal()
    for number in range(3):
        await ctx.step("a", effects.giving("x"), inputs=number, cost=lambda _: Cost(tokens=3))
    assert await ctx.frugal()
    lows = [event for event in heard if event.kind == "budget_low"]
    assert [(low.of, low.what, low.used, low.limit) for low in lows] == [("run", "tokens", 6, 10)]


async def test_a_replay_goes_the_cheaper_way_where_the_run_did(store: Any, effects: Any) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal, budget=Budget(tokens=10, soft=0.5))
        said = [await ctx.frugal()]
        await ctx.step("a", effects.giving("x"), inputs=1, cost=lambda _: Cost(tokens=9))
        said.append(await ctx.frugal())
    replay = RunContext(await store.read_run(journal.run_id))
    assert [await replay.frugal(), await replay.frugal()] == said == [False, True]
