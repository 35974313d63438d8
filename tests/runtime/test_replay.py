"""A replay reads a run back, calls nothing, writes nothing, and says where the code has become another."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph.runtime.budget import Budget, Cost
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ReplayDiverged, TaskFailed, ToolError
from crewgraph.runtime.events import Event, RunFinished, RunStarted, StepFinished, TaskErred, TaskFinished
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.reading.divergence import difference
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store

GRAPH = TaskGraph(
    [
        Task(id="find", description="", args={"city": "Rome"}),
        Task(id="sum", description="", args={"n": "$find"}),
    ]
)


async def carry_out(ctx: RunContext, effects: Any, **changes: Any) -> str:
    """The code of a small crew; `changes` make it behave otherwise than when it was recorded."""

    async def worker(task: Task, inner: RunContext) -> TaskResult:
        if task.id == "find":
            inputs = {"city": changes.get("city", task.args["city"]), "year": 2020}
            value = await inner.step(changes.get("name", "look_up"), effects.giving(7), inputs=inputs)
            if changes.get("twice"):
                await inner.step("look_up", effects.giving(7), inputs=inputs)
            return TaskResult(value=value)
        return TaskResult(value=task.args["n"] + changes.get("plus", 1))

    drawn = await ctx.random()
    began = await ctx.now()
    results = await execute(GRAPH, worker, ctx)
    return f"{results['sum'].value} {drawn} {began}"


async def recorded(store: Store, effects: Any) -> str:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal)
        await ctx.emit(RunStarted(crew="c", request="r"))
        answer = await carry_out(ctx, effects)
        await ctx.emit(RunFinished(answer=answer))
    effects.calls.clear()
    return answer


async def test_the_answer_is_the_same_and_nothing_is_called_or_written(store: Store, effects: Any) -> None:
    answer = await recorded(store, effects)
    before = await store.events("last")
    heard: list[Event] = []
    for _ in range(2):
        ctx = await open_replay(store, "last", listeners=[heard.append])
        assert ctx.replaying
        assert ctx.journal.record is not None
        await ctx.emit(RunStarted(crew="c", request="r"))
        assert await carry_out(ctx, effects) == answer
        await ctx.note("nothing of this is kept")
    assert effects.calls == []
    assert await store.events("last") == before
    assert (await store.find_run("last")).status == "finished"
    assert {e.task_id for e in heard if isinstance(e, TaskFinished)} == {"find", "sum"}
    assert sum(isinstance(e, StepFinished) and e.name == "look_up" for e in heard) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"city": "Oslo"},
            r"task 'find' now asks for step 'look_up' with other inputs.*inputs.city: 'Rome' → 'Oslo'",
        ),
        ({"name": "ask"}, r"task 'find' now asks for step 'ask', which the journal does not hold.*'look_up'"),
        ({"twice": True}, r"step 'look_up' once more: the journal holds it with these inputs only once"),
        ({"plus": 2}, r"task 'sum' read the same steps and now gives 9 where the journal holds 8"),
    ],
)
async def test_where_the_code_has_changed_is_named(
    store: Store, effects: Any, changes: dict[str, Any], said: str
) -> None:
    await recorded(store, effects)
    with pytest.raises(ReplayDiverged, match=said):
        await carry_out(await open_replay(store, "last"), effects, **changes)
    assert effects.calls == []


async def test_outside_tasks_the_planning_is_named(store: Store, effects: Any) -> None:
    await recorded(store, effects)
    ctx = await open_replay(store, "last")
    with pytest.raises(ReplayDiverged, match="the planning now asks for step 'plan'"):
        await ctx.step("plan", effects.giving(1), inputs={})
    with pytest.raises(ReplayDiverged, match=r"task 'new' now asks .* holds no step of this task"):
        await ctx.for_task("new").step("plan", effects.giving(1), inputs={})
    await ctx.now()
    with pytest.raises(ReplayDiverged, match="step 'now' once more"):
        await ctx.now()


async def test_a_run_that_failed_fails_again_in_the_same_words(store: Store, effects: Any) -> None:
    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        await ctx.step("use", effects.failing(ToolError("the table has no such row")), inputs={})
        return TaskResult()

    said = []
    async with await store.create_run("c", "r") as journal:
        with pytest.raises(TaskFailed) as first:
            await execute(GRAPH, worker, RunContext(journal))
        said.append(str(first.value))
    heard: list[Event] = []
    with pytest.raises(TaskFailed) as second:
        await execute(GRAPH, worker, await open_replay(store, "last", listeners=[heard.append]))
    said.append(str(second.value))
    assert said[0] == said[1]
    assert isinstance(second.value.__cause__, ToolError)
    assert [event.code for event in heard if isinstance(event, TaskErred)] == ["tool_failed"]
    assert len(effects.calls) == 1


async def test_a_run_that_failed_and_was_resumed_replays_as_it_ended(store: Store, effects: Any) -> None:
    working = False

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        call = effects.giving(1) if working else effects.failing(OSError("down"))
        return TaskResult(value=await ctx.step("use", call, inputs={"t": task.id}))

    async with await store.create_run("c", "r") as journal:
        with pytest.raises(TaskFailed):
            await execute(GRAPH, worker, RunContext(journal))
    working = True
    async with await store.open_run("last") as journal:
        await execute(GRAPH, worker, RunContext(journal))
    working = False
    results = await execute(GRAPH, worker, await open_replay(store, "last"))
    assert results["sum"].value == 1


async def test_a_run_that_broke_off_replays_up_to_there(store: Store, effects: Any) -> None:
    import asyncio

    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal)
        await ctx.step("first", effects.giving(1), inputs={})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ctx.step("second", lambda: asyncio.sleep(9), inputs={})
    ctx = await open_replay(store, "last")
    assert await ctx.step("first", effects.giving(2), inputs={}) == 1
    with pytest.raises(
        ReplayDiverged, match="step 'second', which was begun and has no result: the run broke"
    ):
        await ctx.step("second", effects.giving(2), inputs={})


async def test_budgets_do_not_apply_to_what_is_only_read(store: Store, effects: Any) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal, budget=Budget(tokens=10))
        await ctx.step("ask", effects.giving(1), inputs={}, cost=lambda _: Cost(tokens=10))
    ctx = await open_replay(store, "last")
    async with ctx.deadline():
        assert await ctx.step("ask", effects.giving(2), inputs={}) == 1
    assert ctx.spent == Cost(tokens=10)


def test_a_difference_is_shown_where_it_is() -> None:
    assert difference({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}) == "inputs.a[1].b: 'x' → 'y'"
    assert difference({"a": 1}, {"a": 1, "b": 2}) == "inputs.b is new (2)"
    assert difference({"a": 1, "b": 2}, {"a": 1}) == "inputs.b is gone (it was 2)"
    assert difference([1], [1, 2]) == "inputs has 2 entries, it had 1"
    long = "the same words again and again, " * 20
    shown = difference(long + "old end", long + "new end")
    assert "old end" in shown
    assert "new end" in shown
    assert len(shown) < 160
