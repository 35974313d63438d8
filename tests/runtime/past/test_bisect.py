"""Bisecting finds the earliest step whose result makes a right answer wrong, in few trials, and tidies up."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from crewgraph.runtime.errors import InvalidRequest, NotFound
from crewgraph.runtime.events import PlanMade, RunFinished, RunStarted
from crewgraph.runtime.graph import Task, TaskGraph
from crewgraph.runtime.past.bisect import bisect
from crewgraph.runtime.store import Store

from .conftest import Op, Program

LOOK, ASK = Op("once", "look"), Op("read_only", "ask")
CLOCK = Op("now", "")


def chain(length: int) -> Program:
    """A chain of tasks, and beside each one that nothing depends on; clocks are read everywhere."""
    tasks, ops = [], {}
    for n in range(length):
        tasks.append(Task(id=f"t{n}", description="in the chain", args={"n": f"$t{n - 1}"} if n else {}))
        tasks.append(Task(id=f"s{n}", description="beside it", args={"n": f"$t{n - 1}"} if n else {}))
        ops |= {f"t{n}": (CLOCK, LOOK, ASK), f"s{n}": (CLOCK, LOOK)}
    last = Task(id="end", description="the end", args={"n": f"$t{length - 1}"})
    return Program(TaskGraph([*tasks, last]), ops | {"end": (ASK,)})


async def recorded(store: Store, program: Program) -> str:
    async with await store.create_run("c", "r") as journal:
        await program.run(journal)
        program.calls.clear()
        return journal.run_id


def carrying_on(store: Store, program: Program) -> Callable[[str], Awaitable[str]]:
    async def carry_on(run_id: str) -> str:
        planned = next((e for e in await store.events(run_id) if isinstance(e, PlanMade)), None)
        going = program if planned is None else replace(program, graph=TaskGraph(planned.tasks))
        async with await store.open_run(run_id) as journal:
            return await going.run(journal, planned=planned is not None)

    return carry_on


@pytest.mark.parametrize("culprit", [("t0", "look"), ("t2", "ask"), ("t5", "look"), ("end", "ask")])
async def test_the_step_that_made_the_answer_wrong_is_found(store: Store, culprit: tuple[str, str]) -> None:
    right = chain(6)
    good = await recorded(store, right)
    harmless: dict[tuple[str, str], Any] = {("s1", "look"): "no matter", ("s4", "look"): "no matter"}
    bad = await recorded(store, replace(right, instead={**harmless, culprit: "wrong"}))
    runs = {record.id for record in await store.list_runs(100)}
    rows = [await store.rows(run_id) for run_id in (good, bad)]
    right.calls.clear()
    found = await bisect(store, good, bad, carry_on=carrying_on(store, right))
    assert found.step is not None
    assert (found.step.task_id, found.step.name) == culprit
    assert found.said.endswith("→ 'wrong'")
    assert found.tried <= math.ceil(math.log2(found.suspects)) + 1
    assert found.answer == (await store.find_run(bad)).answer
    assert {record.id for record in await store.list_runs(100)} == runs, "trials are deleted"
    assert [await store.rows(run_id) for run_id in (good, bad)] == rows, "and the two runs are as they were"


async def test_what_both_runs_hold_is_never_carried_out_again(store: Store) -> None:
    right = chain(4)
    good = await recorded(store, right)
    bad = await recorded(store, replace(right, instead={("t1", "ask"): "wrong"}))
    right.calls.clear()
    found = await bisect(store, good, bad, carry_on=carrying_on(store, right), keep=True)
    assert ("t0", "look") not in {call[:2] for call in right.calls}
    assert len(found.forks) == found.tried
    for run_id in found.forks:
        record = await store.find_run(run_id)
        assert (record.forked_from, record.status) == (good, "finished")
    assert (await store.find_run(found.forks[0])).answer == (await store.find_run(bad)).answer


async def test_what_is_wrong_may_be_said_by_a_function(store: Store) -> None:
    right = chain(3)
    good = await recorded(store, right)
    bad = await recorded(store, replace(right, instead={("t1", "look"): "wrong"}))
    answer = (await store.find_run(good)).answer
    found = await bisect(
        store, good, bad, carry_on=carrying_on(store, right), wrong=lambda text: text != answer
    )
    assert found.step is not None
    assert (found.step.task_id, found.step.name) == ("t1", "look")


async def test_the_plan_itself_can_be_what_made_it_wrong(store: Store) -> None:
    right = chain(2)
    good = await recorded(store, right)
    tasks = [
        task.model_copy(update={"description": "another thing"}) if task.id == "t1" else task
        for task in right.graph.tasks
    ]
    bad = await recorded(store, replace(right, graph=TaskGraph(tasks)))
    found = await bisect(store, good, bad, carry_on=carrying_on(store, right))
    assert found.step is None
    assert found.said == "task.description: 'in the chain' → 'another thing'"


async def test_runs_between_which_nothing_can_be_found_are_refused(store: Store) -> None:
    right = chain(2)
    carry_on = carrying_on(store, right)
    good, same = await recorded(store, right), await recorded(store, right)
    with pytest.raises(InvalidRequest, match="is wrong too"):
        await bisect(store, good, same, carry_on=carry_on)
    with pytest.raises(InvalidRequest, match="is not wrong: take a run whose answer is"):
        await bisect(store, good, same, carry_on=carry_on, wrong=lambda _: False)
    with pytest.raises(NotFound):
        await bisect(store, good, "nowhere", carry_on=carry_on)

    async def made(answer: str, request: str = "r", *, ended: bool = True) -> str:
        async with await store.create_run("c", request) as journal:
            await journal.append(RunStarted(crew="c", request=request))
            if ended:
                await journal.append(RunFinished(answer=answer))
            return journal.run_id

    one, other = await made("1"), await made("2")
    with pytest.raises(InvalidRequest, match="something that no step holds"):
        await bisect(store, one, other, carry_on=carry_on)
    with pytest.raises(InvalidRequest, match="were asked different things"):
        await bisect(store, one, await made("3", "another"), carry_on=carry_on)
    with pytest.raises(InvalidRequest, match=r"has no answer \(it is running\)"):
        await bisect(store, one, await made("", ended=False), carry_on=carry_on)


async def test_a_wrong_answer_that_does_not_come_again_is_said(store: Store) -> None:
    right = chain(2)
    good = await recorded(store, right)
    bad = await recorded(store, replace(right, instead={("t1", "look"): "wrong"}))

    async def other_code(run_id: str) -> str:
        return "something else"

    before = len(await store.list_runs(100))
    with pytest.raises(InvalidRequest, match="the code or the crew has changed since"):
        await bisect(store, good, bad, carry_on=other_code)

    async def broken(run_id: str) -> str:
        raise OSError("out of paper")

    with pytest.raises(OSError, match="out of paper"):
        await bisect(store, good, bad, carry_on=broken)
    assert len(await store.list_runs(100)) == before
