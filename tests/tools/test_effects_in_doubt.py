"""A `once` tool is never called again unasked: it says itself that nothing happened, or it is found out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.context import DidNotHappen, Happened, RunContext, StillUnknown
from crewgraph.runtime.errors import InvalidCrew, InvalidInput, StepInDoubt, ToolArgumentError, ToolError
from crewgraph.runtime.events import TaskStarted
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Retry
from crewgraph.tools.effects import IdempotencyKey
from crewgraph.tools.tool import Tool, tool
from crewgraph.tools.toolset import Toolset

ANN = {"to": "Ann", "amount": 5}


def context() -> RunContext:
    return RunContext(Journal("r-test")).for_task("t")


def bank(calls: list[str], error: Exception | None = None, **more: Any) -> Tool:
    """A `once` tool that remembers its calls, and ends the first one with this error."""

    @tool(effect="once", **more)
    async def pay(to: str, amount: int, key: IdempotencyKey) -> str:
        """Pay somebody."""
        calls.append(key)
        if error is not None and len(calls) == 1:
            raise error
        return f"paid {to}"

    return pay


@pytest.mark.parametrize("error", [OSError("reset by peer"), ValueError("odd answer"), TimeoutError()])
async def test_an_error_that_says_nothing_leaves_the_call_in_doubt(error: Exception) -> None:
    calls: list[str] = []
    ctx, tools = context(), Toolset([bank(calls, error)])
    for _ in range(3):
        with pytest.raises(StepInDoubt, match="'tool:pay' of task 't'"):
            await tools.call("pay", ANN, ctx)
    assert len(calls) == 1


@pytest.mark.parametrize("error", [ToolError("no money"), ToolArgumentError("Ann has no account")])
async def test_a_tool_error_says_that_nothing_happened(error: ToolError) -> None:
    calls: list[str] = []
    ctx, tools = context(), Toolset([bank(calls, error)])
    with pytest.raises(type(error), match=str(error)):
        await tools.call("pay", ANN, ctx)
    assert (await tools.call("pay", ANN, ctx))["value"] == "paid Ann"
    assert calls[0] == calls[1]


async def test_a_call_that_took_too_long_is_in_doubt() -> None:
    begun = 0

    @tool(effect="once", timeout=0.01)
    async def slow(to: str) -> str:
        """Pay somebody slowly."""
        nonlocal begun
        begun += 1
        await asyncio.sleep(60)
        return to

    ctx, tools = context(), Toolset([slow])
    with pytest.raises(StepInDoubt, match=r"took longer than 0\.01 s"):
        await tools.call("slow", {"to": "Ann"}, ctx)
    with pytest.raises(StepInDoubt):
        await tools.call("slow", {"to": "Ann"}, ctx)
    assert begun == 1


async def test_a_call_that_was_cancelled_is_in_doubt() -> None:
    begun = asyncio.Event()
    calls = 0

    @tool(effect="once")
    async def slow(to: str) -> str:
        """Pay somebody slowly."""
        nonlocal calls
        calls += 1
        begun.set()
        await asyncio.Event().wait()
        return to

    ctx, tools = context(), Toolset([slow])
    running = asyncio.create_task(tools.call("slow", {"to": "Ann"}, ctx))
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(StepInDoubt):
        await tools.call("slow", {"to": "Ann"}, ctx)
    assert calls == 1


async def test_retries_of_a_once_tool_stop_at_the_first_doubt() -> None:
    calls: list[str] = []
    with pytest.raises(StepInDoubt):
        await Toolset([bank(calls, OSError("?"), retry=Retry(attempts=5, wait=0))]).call(
            "pay", ANN, context()
        )
    assert len(calls) == 1


async def test_retries_of_a_once_tool_go_on_while_it_says_that_nothing_happened() -> None:
    calls: list[str] = []
    tools = Toolset([bank(calls, ToolError("busy"), retry=Retry(attempts=5, wait=0))])
    assert (await tools.call("pay", ANN, context()))["value"] == "paid Ann"
    assert len(calls) == 2


async def test_what_happened_is_found_out_with_the_key_and_the_arguments() -> None:
    calls: list[str] = []
    asked: list[tuple[str, str, int]] = []

    async def look(key: IdempotencyKey, to: str, amount: int) -> Happened:
        asked.append((key, to, amount))
        return Happened(f"found: paid {to}")

    pay = bank(calls, OSError("?"), reconcile=look)
    ctx = context()
    found = await Toolset([pay]).call("pay", ANN, ctx)
    assert pay.read(found).statement("en") == "found: paid Ann."
    assert asked == [(calls[0], "Ann", 5)]
    ctx.write(TaskStarted(task_id="t"))
    assert await Toolset([pay]).call("pay", ANN, ctx) == found
    assert len(calls) == len(asked) == 1


async def test_what_did_not_happen_is_an_ordinary_failure_and_may_be_done() -> None:
    calls: list[str] = []
    ctx, tools = context(), Toolset([bank(calls, OSError("refused"), reconcile=lambda key: DidNotHappen())])
    with pytest.raises(ToolError, match="The tool pay failed: OSError: refused"):
        await tools.call("pay", ANN, ctx)
    assert (await tools.call("pay", ANN, ctx))["value"] == "paid Ann"
    assert calls[0] == calls[1]


async def unsure(key: str) -> StillUnknown:
    return StillUnknown()


async def broken(key: str) -> Happened:
    raise OSError("the bank does not answer")


@pytest.mark.parametrize("reconcile", [unsure, broken])
async def test_what_cannot_be_found_out_stays_in_doubt(reconcile: Any) -> None:
    calls: list[str] = []
    ctx, tools = context(), Toolset([bank(calls, OSError("?"), reconcile=reconcile)])
    for _ in range(2):
        with pytest.raises(StepInDoubt):
            await tools.call("pay", ANN, ctx)
    assert len(calls) == 1


@pytest.mark.parametrize(("said", "value"), [("by hand", "by hand"), (None, "it happened"), (7, 7)])
async def test_what_a_person_says_happened_is_taken_as_the_tools_result(said: Any, value: Any) -> None:
    calls: list[str] = []
    pay = bank(calls, OSError("?"))
    ctx, tools = context(), Toolset([pay])
    with pytest.raises(StepInDoubt):
        await tools.call("pay", ANN, ctx)
    await ctx.journal.settle(calls[0].partition("/")[2], happened=True, output=said)
    found = pay.read(await tools.call("pay", ANN, ctx))
    assert found.value == value
    assert len(calls) == 1


async def test_what_a_person_says_has_to_be_of_the_tools_type() -> None:
    @tool(effect="once")
    async def count(text: str) -> dict[str, int]:
        """Count letters somewhere else."""
        raise OSError("?")

    ctx, tools = context(), Toolset([count])
    with pytest.raises(StepInDoubt):
        await tools.call("count", {"text": "a"}, ctx)
    step, _ = next(iter(ctx.journal.steps.known("t")))
    await ctx.journal.settle(step.key, happened=True, output="four")
    with pytest.raises(InvalidInput, match="call of count in doubt, 'four', is not what the tool gives"):
        await tools.call("count", {"text": "a"}, ctx)


@pytest.mark.parametrize("said", ["four", {"x": 1}])
@pytest.mark.parametrize("returns", [str, dict[str, int]])
async def test_an_unfitting_word_of_a_person_never_makes_the_call_again(said: Any, returns: Any) -> None:
    calls: list[str] = []

    async def pay(key: IdempotencyKey) -> Any:
        """Pay somebody."""
        calls.append(key)
        raise OSError("?")

    pay.__annotations__["return"] = returns
    ctx, tools = context(), Toolset([tool(effect="once", retry=Retry(attempts=3, wait=0))(pay)])
    with pytest.raises(StepInDoubt):
        await tools.call("pay", {}, ctx)
    await ctx.journal.settle(calls[0].partition("/")[2], happened=True, output=said)
    if isinstance(said, str) == (returns is str):
        assert await tools.call("pay", {}, ctx)
    else:
        with pytest.raises(InvalidInput, match="of the call of pay in doubt"):
            await tools.call("pay", {}, ctx)
    assert len(calls) == 1


def test_only_a_once_tool_is_reconciled() -> None:
    with pytest.raises(InvalidCrew, match="'read' has a reconcile and is read_only"):

        @tool(reconcile=unsure)
        def read(n: int) -> int:
            """Read."""
            return n


def test_a_reconcile_that_cannot_be_called_is_refused() -> None:
    def wrong(key: str, account: str) -> StillUnknown:
        return StillUnknown()

    with pytest.raises(
        InvalidCrew, match=r"reconcile of the tool 'pay' cannot be called .*takes key, to, amount"
    ):
        bank([], reconcile=wrong)
    with pytest.raises(InvalidCrew, match="reconcile of the tool 'pay' cannot be called"):
        bank([], reconcile=lambda: DidNotHappen())
