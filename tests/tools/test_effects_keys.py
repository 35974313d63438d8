"""An idempotent tool gets a key: the same however often a call is tried, another one in any other run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Retry
from crewgraph.runtime.store import open_store
from crewgraph.tools.effects import IdempotencyKey
from crewgraph.tools.tool import Tool, tool
from crewgraph.tools.toolset import Toolset


def till(keys: list[str], *, fails: int = 0, retry: Retry | None = None) -> Tool:
    """A tool that remembers the keys it was called with, and fails the first few times."""

    @tool(effect="idempotent", retry=retry)
    async def pay(to: str, amount: int, key: IdempotencyKey) -> str:
        """Pay somebody.

        Args:
            to: Who is paid.
            key: Never seen by anybody.
        """
        keys.append(key)
        if len(keys) <= fails:
            raise OSError("the line is dead")
        return f"{to} has {amount}"

    return pay


ANN: dict[str, Any] = {"to": "Ann", "amount": 5}


def context(run_id: str = "r-test", task_id: str = "t") -> RunContext:
    return RunContext(Journal(run_id)).for_task(task_id)


async def test_the_key_is_hidden_from_schema_arguments_and_the_words_of_the_result() -> None:
    keys: list[str] = []
    pay = till(keys)
    assert list(pay.parameters["properties"]) == ["to", "amount"]
    assert list(pay.args.model_fields) == ["to", "amount"]
    assert "key" not in pay.description
    assert pay.options == {}
    with pytest.raises(ToolArgumentError, match=r"key is not a parameter \(it has: to, amount\)"):
        await pay.call({**ANN, "key": "mine"})
    found = await Toolset([pay]).call("pay", ANN, context())
    assert found["value"] == "Ann has 5"
    assert len(keys) == 1


async def test_every_attempt_of_a_call_gets_the_same_key() -> None:
    keys: list[str] = []
    ctx, tools = context(), Toolset([till(keys, fails=2)])
    for _ in range(2):
        with pytest.raises(ToolError, match="the line is dead"):
            await tools.call("pay", ANN, ctx)
    await tools.call("pay", ANN, ctx)
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_attempts_within_one_call_get_the_same_key_too() -> None:
    keys: list[str] = []
    await Toolset([till(keys, fails=2, retry=Retry(attempts=3, wait=0))]).call("pay", ANN, context())
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_two_calls_with_equal_arguments_are_two_calls() -> None:
    keys: list[str] = []
    ctx, tools = context(), Toolset([till(keys)])
    await tools.call("pay", ANN, ctx)
    await tools.call("pay", ANN, ctx)
    assert len(set(keys)) == 2


async def test_another_task_another_argument_and_another_run_have_other_keys() -> None:
    keys: list[str] = []
    tools = Toolset([till(keys)])
    run = RunContext(Journal("r-one"))
    await tools.call("pay", ANN, run.for_task("a"))
    await tools.call("pay", ANN, run.for_task("b"))
    await tools.call("pay", {**ANN, "amount": 6}, run.for_task("a"))
    await tools.call("pay", ANN, context("r-two", "a"))
    assert len(set(keys)) == 4


async def test_a_resumed_run_gives_the_key_it_gave_before_it_was_broken_off(tmp_path: Path) -> None:
    keys: list[str] = []
    tools = Toolset([till(keys, fails=1)])
    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("c", "r") as journal:
            with pytest.raises(ToolError):
                await tools.call("pay", ANN, RunContext(journal).for_task("t"))
        async with await store.open_run(journal.run_id) as journal:
            await tools.call("pay", ANN, RunContext(journal).for_task("t"))
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_outside_a_run_a_call_gets_a_key_of_its_own() -> None:
    keys: list[str] = []
    pay = till(keys)
    await pay.call(ANN)
    await pay.call(ANN)
    await pay.call(ANN, IdempotencyKey("order-7"))
    assert len(set(keys)) == 3
    assert keys[2] == "order-7"


async def test_a_once_tool_may_take_the_key_as_well() -> None:
    keys: list[str] = []

    @tool(effect="once")
    def post(text: str, mark: IdempotencyKey) -> str:
        """Post a letter."""
        keys.append(mark)
        return text

    ctx = context()
    assert (await Toolset([post]).call("post", {"text": "Hi"}, ctx))["value"] == "Hi"
    assert keys == [f"r-test/{ctx.journal.steps.known('t').__next__()[0].key}"]


def test_an_idempotent_tool_without_a_key_is_refused_with_the_mend() -> None:
    with pytest.raises(
        InvalidCrew, match="'pay' is idempotent and takes no key: add a parameter 'key: Idempot"
    ):

        @tool(effect="idempotent")
        def pay(to: str) -> str:
            """Pay somebody."""
            return to


def test_one_parameter_for_the_key_is_enough() -> None:
    with pytest.raises(InvalidCrew, match="takes the key as one and two"):

        @tool(effect="idempotent")
        def pay(one: IdempotencyKey, two: IdempotencyKey) -> str:
            """Pay somebody."""
            return one + two
