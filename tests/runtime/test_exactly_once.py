"""A `once` effect happens once, or the doubt is said aloud; it is never silently run again or dropped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import NotFound, StepInDoubt, ToolError
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.stepping.doubt import DidNotHappen, Finding, Happened
from crewgraph.runtime.store import Store, open_store


async def broken_off(ctx: RunContext, name: str = "send", effect: Any = "once") -> str:
    """A step whose process dies inside it, as the journal sees it; gives the step's key."""
    begun = asyncio.Event()
    key = ctx.step_key(name, {"to": "Ann"})

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(ctx.step(name, never, inputs={"to": "Ann"}, effect=effect))
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return key


async def in_doubt(database: Path) -> tuple[str, str]:
    async with open_store(database) as store, await store.create_run("c", "r") as journal:
        return journal.run_id, await broken_off(RunContext(journal).for_task("mail"))


async def test_the_doubt_names_the_task_the_step_and_what_to_do(database: Path, effects: Any) -> None:
    run_id, key = await in_doubt(database)
    async with open_store(database) as store, await store.open_run(run_id) as journal:
        ctx = RunContext(journal).for_task("mail")
        with pytest.raises(StepInDoubt, match=f"Step 'send' of task 'mail'.*may have.*settle step {key}"):
            await ctx.step("send", effects.giving("sent"), inputs={"to": "Ann"}, effect="once")
    assert effects.calls == []


@pytest.mark.parametrize("again", [False, True])
async def test_a_settled_doubt_is_settled_for_good(database: Path, effects: Any, again: bool) -> None:
    run_id, key = await in_doubt(database)
    for sitting in range(3):
        async with open_store(database) as store, await store.open_run(run_id) as journal:
            if sitting == 0:
                await journal.settle(key, happened=not again, output="sent by hand")
            ctx = RunContext(journal).for_task("mail")
            said = await ctx.step("send", effects.giving("sent"), inputs={"to": "Ann"}, effect="once")
            assert said == ("sent" if again else "sent by hand")
    assert effects.calls == (["sent"] if again else [])


async def test_only_a_step_in_doubt_can_be_settled(store: Store, effects: Any) -> None:
    async with await store.create_run("c", "r") as journal:
        await RunContext(journal).step("send", effects.giving(1), inputs={}, effect="once")
        with pytest.raises(NotFound, match="no step 'nonsense' in doubt"):
            await journal.settle("nonsense", happened=True)


async def test_what_is_harmless_is_simply_run_again(effects: Any) -> None:
    for effect in ("read_only", "idempotent"):
        ctx = RunContext(Journal("r-test")).for_task("t")
        key = await broken_off(ctx, effect=effect)
        assert ctx.step_key("send", {"to": "Ann"}) == key
        assert await ctx.step("send", effects.giving("x"), inputs={"to": "Ann"}, effect=effect) == "x"


async def test_a_once_step_that_timed_out_is_in_doubt_at_once(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")

    async def slow() -> None:
        await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ctx.step("send", slow, inputs={}, effect="once")
    with pytest.raises(StepInDoubt):
        await ctx.step("send", effects.giving("x"), inputs={}, effect="once")
    assert effects.calls == []


async def test_a_once_step_whose_result_cannot_be_kept_is_in_doubt(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    with pytest.raises(TypeError, match="Step 'send' of task 't' gave a object"):
        await ctx.step("send", effects.giving(object(), "x"), inputs={}, effect="once")
    with pytest.raises(StepInDoubt):
        await ctx.step("send", effects.giving("x"), inputs={}, effect="once")
    assert effects.calls == ["x"]


async def test_a_once_step_whose_tool_says_that_it_failed_may_be_tried_again(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    with pytest.raises(ToolError, match="refused"):
        await ctx.step("send", effects.failing(ToolError("refused")), inputs={}, effect="once")
    assert await ctx.step("send", effects.giving("sent"), inputs={}, effect="once") == "sent"


async def test_a_once_step_that_lost_its_connection_is_in_doubt_and_never_run_again(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    with pytest.raises(StepInDoubt, match=r"failed with ConnectionResetError .*may have happened"):
        await ctx.step("send", effects.failing(ConnectionResetError("gone"), "x"), inputs={}, effect="once")
    with pytest.raises(StepInDoubt):
        await ctx.step("send", effects.giving("x"), inputs={}, effect="once")
    assert effects.calls == ["x"]


@pytest.mark.parametrize("crashed", [False, True])
async def test_a_tool_that_can_find_out_settles_its_own_doubt(
    database: Path, effects: Any, crashed: bool
) -> None:
    asked: list[str] = []

    async def find_out(key: str) -> Finding:
        asked.append(key)
        return Happened("receipt 7")

    async with open_store(database) as store, await store.create_run("c", "r") as journal:
        ctx = RunContext(journal).for_task("mail")
        if crashed:
            await broken_off(ctx)
            effect = effects.giving("sent twice")
        else:
            effect = effects.failing(ConnectionResetError("gone"), "sent")
        wanted = f"{journal.run_id}/{ctx.step_key('send', {'to': 'Ann'})}"
        said = await ctx.step("send", effect, inputs={"to": "Ann"}, effect="once", reconcile=find_out)
        assert said == "receipt 7"
        assert asked == [wanted]
    assert effects.calls == ([] if crashed else ["sent"])
    async with open_store(database) as store:
        replay = RunContext(await store.read_run("last")).for_task("mail")
        assert await replay.step("send", effect, inputs={"to": "Ann"}, effect="once") == "receipt 7"


@pytest.mark.parametrize("crashed", [False, True])
async def test_what_did_not_happen_is_run_again(effects: Any, crashed: bool) -> None:
    async def find_out(_: str) -> Finding:
        return DidNotHappen()

    ctx = RunContext(Journal("r-test")).for_task("mail")
    if crashed:
        await broken_off(ctx)
    else:
        failing = effects.failing(ConnectionResetError("gone"), "tried")
        with pytest.raises(ConnectionResetError):
            await ctx.step("send", failing, inputs={"to": "Ann"}, effect="once", reconcile=find_out)
    step = ctx.step("send", effects.giving("sent"), inputs={"to": "Ann"}, effect="once", reconcile=find_out)
    assert await step == "sent"


async def test_a_doubt_that_cannot_be_found_out_stays_one(effects: Any) -> None:
    async def broken(_: str) -> Finding:
        raise OSError("the other side does not answer")

    ctx = RunContext(Journal("r-test")).for_task("mail")
    await broken_off(ctx)
    with pytest.raises(StepInDoubt):
        await ctx.step("send", effects.giving("x"), inputs={"to": "Ann"}, effect="once", reconcile=broken)
    assert effects.calls == []


async def test_other_tasks_go_on_and_then_the_doubt_is_raised(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"))
    await broken_off(ctx.for_task("mail"))
    done: list[str] = []

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        if task.id == "mail":
            await ctx.step("send", effects.giving("x"), inputs={"to": "Ann"}, effect="once")
        done.append(task.id)
        return TaskResult()

    graph = TaskGraph([Task(id=name, description="") for name in ("mail", "other")])
    with pytest.raises(StepInDoubt):
        await execute(graph, worker, ctx)
    assert done == ["other"]
    assert effects.calls == []
