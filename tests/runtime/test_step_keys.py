"""A step is known by its task, its name and its inputs, and never by its place or by when it began."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import Event, StepFinished, StepIntended, TaskErred, TaskStarted
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.scheduler import execute


@given(order=st.permutations(range(6)), cut=st.integers(0, 40), second=st.permutations(range(6)))
@settings(max_examples=80, deadline=None)
def test_a_run_resumed_in_another_order_gives_every_step_its_own_result(
    virtual: Any, order: list[int], cut: int, second: list[int], new_tape: Any
) -> None:
    parts = [Task(id=f"t{n}", description="") for n in range(6)]
    total = Task(id="sum", description="", args={f"x{n}": f"$t{n}" for n in range(6)})
    graph = TaskGraph([*parts, total])
    calls: list[tuple[str, int]] = []

    def worker_with(delays: list[int]) -> Any:
        async def worker(task: Task, ctx: RunContext) -> TaskResult:
            if task.id == "sum":
                return TaskResult(value=dict(task.args))

            async def effect(part: int) -> str:
                await asyncio.sleep(delays[int(task.id[1])] + part)
                calls.append((task.id, part))
                return f"{task.id}/{part}"

            one = await ctx.step("part", lambda: effect(1), inputs={"part": 1})
            two = await ctx.step("part", lambda: effect(2), inputs={"part": 2})
            return TaskResult(value=[one, two])

        return worker

    async def sitting(tape: Any, delays: list[int], upto: int | None = None) -> Any:
        results = await execute(graph, worker_with(delays), RunContext(tape.journal(upto)))
        return results["sum"].value

    tape = new_tape()
    expected = {f"x{n}": [f"t{n}/1", f"t{n}/2"] for n in range(6)}
    assert virtual(sitting(tape, order)) == expected
    kept = [row for row in tape.rows[:cut] if row.kind == "step_finished"]
    calls.clear()
    assert virtual(sitting(tape, second, cut)) == expected
    assert len(calls) == 12 - len(kept)


async def test_identical_steps_side_by_side_are_each_their_own(new_tape: Any) -> None:
    tape = new_tape()
    drawn = iter("abcdef")

    async def throw() -> str:
        face = next(drawn)
        await asyncio.sleep(0)
        return face

    async def three(ctx: RunContext) -> list[str]:
        return await asyncio.gather(*(ctx.step("throw", throw, inputs={}) for _ in range(3)))

    assert await three(RunContext(tape.journal()).for_task("t")) == ["a", "b", "c"]
    assert await three(RunContext(tape.journal()).for_task("t")) == ["a", "b", "c"]
    keys = [row.key for row in tape.rows if row.kind == "step_finished"]
    assert len(set(keys)) == 3
    assert {key.partition("-")[2] for key in keys} == {"", "1", "2"}


async def test_the_order_of_names_in_the_inputs_does_not_matter(effects: Any, new_tape: Any) -> None:
    tape = new_tape()
    await RunContext(tape.journal()).step("s", effects.giving(1), inputs={"a": 1, "b": 2})
    assert await RunContext(tape.journal()).step("s", effects.giving(2), inputs={"b": 2, "a": 1}) == 1


async def test_a_changed_input_is_another_step(effects: Any, new_tape: Any) -> None:
    tape = new_tape()
    await RunContext(tape.journal()).step("s", effects.giving(1), inputs={"city": "Rome"})
    assert await RunContext(tape.journal()).step("s", effects.giving(2), inputs={"city": "Oslo"}) == 2


async def test_the_same_inputs_in_another_task_are_another_step(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"))
    assert await ctx.for_task("a").step("s", effects.giving(1), inputs=0) == 1
    assert await ctx.for_task("b").step("s", effects.giving(2), inputs=0) == 2


async def test_a_finished_task_is_asked_again_when_its_inputs_have_changed(new_tape: Any) -> None:
    tape = new_tape()
    done: list[str] = []

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        done.append(task.id)
        return TaskResult(value=f"{task.id}:{task.args.get('n')}")

    def graph(number: int) -> TaskGraph:
        return TaskGraph(
            [
                Task(id="a", description="", args={"n": number}),
                Task(id="b", description="", args={"n": "$a"}),
                Task(id="c", description="", depends_on=("a",)),
                Task(id="d", description=""),
            ]
        )

    await execute(graph(1), worker, RunContext(tape.journal()))
    done.clear()
    results = await execute(graph(1), worker, RunContext(tape.journal()))
    assert done == []
    assert results["b"].value == "b:a:1"
    results = await execute(graph(2), worker, RunContext(tape.journal()))
    assert sorted(done) == ["a", "b", "c"]
    assert results["b"].value == "b:a:2"


async def test_a_retry_is_the_same_step_and_keeps_its_key(effects: Any, new_tape: Any) -> None:
    tape = new_tape()
    keys: list[str] = []

    async def twice(ctx: RunContext) -> str:
        async def failing() -> str:
            keys.append(ctx.step_key("pay", {"sum": 5}))
            raise TimeoutError("slow")

        async def working() -> str:
            keys.append(ctx.step_key("pay", {"sum": 5}))
            return "paid"

        try:
            return await ctx.step("pay", failing, inputs={"sum": 5}, effect="idempotent")
        except TimeoutError:
            return await ctx.step("pay", working, inputs={"sum": 5}, effect="idempotent")

    ctx = RunContext(tape.journal()).for_task("t")
    before = ctx.step_key("pay", {"sum": 5})
    assert await twice(ctx) == "paid"
    assert keys == [before, before]
    # Resumed, the code takes the same way: the error, then the result, and nothing is called.
    assert await twice(RunContext(tape.journal()).for_task("t")) == "paid"
    assert keys == [before, before]


async def test_a_key_inside_one_of_several_identical_steps_is_its_own() -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    keys: list[str] = []

    async def effect() -> None:
        await asyncio.sleep(0)
        keys.append(ctx.step_key("same", {}))

    await asyncio.gather(*(ctx.step("same", effect, inputs={}, effect="idempotent") for _ in range(4)))
    assert len(set(keys)) == 4


async def test_a_fallback_taken_before_a_crash_is_taken_again(effects: Any, new_tape: Any) -> None:
    tape = new_tape()

    async def careful(ctx: RunContext) -> str:
        try:
            return await ctx.step("first", effects.failing(ValueError("no"), "first"), inputs=1)
        except ValueError:
            await ctx.step("second", effects.giving("b", "second"), inputs=1)
            return await ctx.step("third", effects.giving("c", "third"), inputs=1)

    await careful(RunContext(tape.journal()).for_task("t"))
    assert effects.calls == ["first", "second", "third"]
    last_result = next(n for n, row in enumerate(tape.rows) if row.kind == "step_intended" and n > 3)
    assert await careful(RunContext(tape.journal(last_result)).for_task("t")) == "c"
    assert effects.calls == ["first", "second", "third", "third"]


async def test_an_error_that_ended_the_task_is_tried_again(effects: Any, new_tape: Any) -> None:
    tape = new_tape()

    async def attempt(broken: bool) -> str:
        ctx = RunContext(tape.journal())
        await ctx.emit(TaskStarted(task_id="t"))
        task = ctx.for_task("t")
        try:
            await task.step("read", effects.giving("x", "read"), inputs=1)
            call = effects.failing(OSError("down"), "call") if broken else effects.giving("up", "call")
            return await task.step("call", call, inputs=1)
        except OSError as error:
            await ctx.emit(TaskErred(task_id="t", error=str(error)))
            return "failed"

    assert [await attempt(True), await attempt(True), await attempt(False), await attempt(True)] == [
        "failed",
        "failed",
        "up",
        "up",
    ]
    assert effects.calls == ["read", "call", "call", "call"]


async def test_a_task_started_again_in_the_same_process_reads_its_steps_back(effects: Any) -> None:
    graph = TaskGraph([Task(id="t", description="")])
    ctx = RunContext(Journal("r-test"))
    broken = True

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        value = await ctx.step("read", effects.giving(5, "read"), inputs=1)
        if broken:
            raise ValueError("no")
        return TaskResult(value=value)

    with pytest.raises(Exception, match="no"):
        await execute(graph, worker, ctx)
    broken = False
    assert (await execute(graph, worker, ctx))["t"].value == 5
    assert effects.calls == ["read"]


async def test_the_intent_is_journalled_before_the_effect_and_the_result_after(new_tape: Any) -> None:
    tape = new_tape()
    kinds: list[list[str]] = []

    async def effect() -> int:
        kinds.append([row.kind for row in tape.rows])
        return 1

    await RunContext(tape.journal()).step("s", effect, inputs={})
    assert kinds == [["step_intended"]]
    assert [row.kind for row in tape.rows] == ["step_intended", "step_finished"]


async def test_listeners_hear_of_steps_that_are_read_back(effects: Any, new_tape: Any) -> None:
    tape = new_tape()
    await RunContext(tape.journal()).step("s", effects.giving(1), inputs={})
    heard: list[Event] = []
    await RunContext(tape.journal(), listeners=[heard.append]).step("s", effects.giving(2), inputs={})
    assert [type(event) for event in heard] == [StepFinished]
    assert not any(isinstance(event, StepIntended) for event in heard)


@pytest.mark.parametrize("effect", ["read_only", "once"])
async def test_a_task_that_begins_again_reads_back_what_it_did_before_it_was_over(
    effects: Any, effect: Any
) -> None:
    journal = Journal("r-test")

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        for part in ("one", "two", "one"):
            await ctx.step("say", effects.giving(part), inputs=part, effect=effect)
        return TaskResult(value=task.description)

    for description in ("first", "second"):
        results = await execute(
            TaskGraph([Task(id="t", description=description)]), worker, RunContext(journal)
        )
        assert results["t"].value == description
    assert effects.calls == ["one", "two", "one"]
    assert journal.finished_steps == 3
