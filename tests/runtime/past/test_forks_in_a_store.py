"""Forks in a real store: the run itself is not touched, and a fork is a run like any other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidRequest, NotFound, RunWaiting
from crewgraph.runtime.events import (
    Answer,
    PlanMade,
    RunFinished,
    RunForked,
    RunStarted,
    StepIntended,
    TaskSkipped,
)
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.past.fork import fork, fork_events
from crewgraph.runtime.reading.questions import open_questions
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import Store

from .conftest import Op, Program, answer_of

LOOK, WRITE = Op("once", "look"), Op("read_only", "write")
TASKS = [
    Task(id="a", description="first", args={"city": "Rome"}),
    Task(id="b", description="beside"),
    Task(id="c", description="last", args={"n": "$a"}, depends_on=("b",)),
]
GRAPH = TaskGraph(TASKS)
BESIDE = Op("side_by_side", "", (LOOK, WRITE, Op("now", "")))


def program(graph: TaskGraph = GRAPH) -> Program:
    return Program(graph, {"a": (LOOK, WRITE), "b": (BESIDE,), "c": (WRITE, LOOK)})


async def recorded(store: Store, going: Program) -> str:
    async with await store.create_run("c", "r", model="small", options={"planner": "rules"}) as journal:
        await going.run(journal)
        going.calls.clear()
        return journal.run_id


async def carried_on(store: Store, run_id: str, going: Program) -> str:
    planned = next((e for e in await store.events(run_id) if isinstance(e, PlanMade)), None)
    if planned is not None:
        going.graph = TaskGraph(planned.tasks)
    async with await store.open_run(run_id) as journal:
        return await going.run(journal, planned=planned is not None)


async def test_the_run_itself_is_not_touched_whatever_is_forked_from_it(store: Store) -> None:
    going = program()
    origin = await recorded(store, going)
    record, rows, events = await store.find_run(origin), await store.rows(origin), await store.events(origin)
    once = {e.key for e in events if isinstance(e, StepIntended) and e.effect == "once"}
    for seq in range(2, len(events) + 2):
        going = program()
        made = await fork(store, origin, at=f"#{seq}")
        assert (made.forked_from, made.model, made.options) == (origin, "small", {"planner": "rules"})
        assert made.status == "interrupted"
        assert await carried_on(store, made.id, going) == record.answer
        kept = set(fork_events(events, f"#{seq}").kept)
        assert sum(n for (_, name, _), n in going.calls.items() if name == "look") == len(once - kept)
        assert open_questions(await store.events(made.id)) == []
    assert await store.find_run(origin) == record
    assert await store.rows(origin) == rows


async def test_a_fork_of_a_fork_knows_both_it_comes_from(store: Store) -> None:
    origin = await recorded(store, program())
    first = await fork(store, origin, at="c", set={"description": "otherwise"})
    answer = await carried_on(store, first.id, program())
    second = await fork(store, first.id, at="c:look", model="large")
    assert (second.forked_from, second.model) == (first.id, "large")
    assert await carried_on(store, second.id, program()) == answer
    begun = [e for e in await store.events(second.id) if isinstance(e, RunForked)]
    assert [event.origin for event in begun] == [origin, first.id]
    third = await fork(store, second.id, at="plan", set={"request": "something else"})
    assert third.request == "something else"
    assert (await store.find_run(origin)).request == "r"


@pytest.mark.parametrize("approval", [False, True])
async def test_a_task_that_is_given_its_result_is_neither_done_nor_asked_about(
    store: Store, approval: bool
) -> None:
    graph = TaskGraph([TASKS[0].model_copy(update={"approval": approval}), *TASKS[1:]])
    async with await store.create_run("c", "r") as journal:
        if approval:
            with pytest.raises(RunWaiting):
                await program(graph).run(journal)
        else:
            await program(graph).run(journal)
        origin = journal.run_id
    if approval:
        question = open_questions(await store.events(origin))[0]
        await store.answer(origin, question.key, Answer(decision="approve"))
        await carried_on(store, origin, program(graph))
    before = answer_of(await store.events(origin))
    given = await fork(store, origin, at="a", set={"result": {"n": 12}})
    going = program(graph)
    answer = await carried_on(store, given.id, going)
    assert not [call for call in going.calls if call[0] == "a"]
    assert [call for call in going.calls if call[0] == "c"]
    assert answer != before
    again = await fork(store, given.id, at="a", set={"result.n": 12})
    assert await carried_on(store, again.id, program(graph)) == answer
    async with await store.open_run(again.id) as journal:
        finished = journal.finished_task("a")
        assert finished is not None
        assert finished.result == TaskResult(value={"n": 12}, text='{"n": 12}')


async def test_changed_arguments_are_done_and_all_that_hangs_on_them(store: Store) -> None:
    origin = await recorded(store, program())
    made = await fork(store, origin, at="a", set={"args.city": "Oslo"})
    going = program()
    answer = await carried_on(store, made.id, going)
    assert {task_id for task_id, _, _ in going.calls} >= {"a", "c"}
    assert answer != (await store.find_run(origin)).answer
    same = program(TaskGraph([TASKS[0].model_copy(update={"args": {"city": "Oslo"}}), *TASKS[1:]]))
    assert answer == (await store.find_run(await recorded(store, same))).answer


async def test_a_question_that_was_answered_is_answered_otherwise(store: Store) -> None:
    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        said = await ctx.ask("May I?", choices=("approve", "answer"))
        return TaskResult(value=said.value, text=f"{said.decision} {said.value}")

    async def run(run_id: str) -> str:
        async with await store.open_run(run_id) as journal:
            ctx = RunContext(journal)
            text = (await execute(TaskGraph(TASKS[:1]), worker, ctx))["a"].text
            await ctx.emit(RunFinished(answer=text))
            return text

    journal = await store.create_run("c", "r")
    origin = journal.run_id
    async with journal:
        await journal.append(RunStarted(crew="c", request="r"))
        await journal.append(PlanMade(tasks=tuple(TASKS[:1]), strategy="crew"))
    with pytest.raises(RunWaiting):
        await run(origin)
    waiting = await fork(store, origin, at="a:ask", set={"answer": 5})
    assert await run(waiting.id) == "answer 5"
    question = open_questions(await store.events(origin))[0]
    await store.answer(origin, question.key, Answer(decision="approve"))
    assert await run(origin) == "approve None"
    assert await run((await fork(store, origin, at=question.key, set={"answer": "no"})).id) == "answer no"
    with pytest.raises(RunWaiting):
        await run((await fork(store, origin, at=question.key)).id)


async def test_a_step_that_failed_can_be_given_a_result(store: Store) -> None:
    broken = replace(program(), ops={"a": (LOOK, Op("handled", "fall")), "b": (BESIDE,), "c": ()})
    origin = await recorded(store, broken)
    events = await store.events(origin)
    made = await fork(store, origin, at="a:fall", set={"output": "it stood"})
    going = replace(broken)
    assert await carried_on(store, made.id, going) != answer_of(events)
    assert ("a", "fall") not in {call[:2] for call in going.calls}


async def test_a_once_step_at_work_just_now_is_not_forked_into_doubt(store: Store) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def pay() -> Any:
        begun.set()
        await over.wait()
        return "paid"

    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal)
        await ctx.emit(RunStarted(crew="c", request="r"))
        step = asyncio.create_task(ctx.step("pay", pay, inputs={}, effect="once"))
        await begun.wait()
        with pytest.raises(InvalidRequest, match="is at work: fork before it, or wait"):
            await fork(store, journal.run_id, at="#3")
        assert (await fork(store, journal.run_id, at=":pay")).forked_from == journal.run_id
        over.set()
        await step
        assert (await fork(store, journal.run_id, at="#3")).status == "interrupted"


async def test_nothing_is_made_where_the_point_or_the_run_is_none(store: Store) -> None:
    origin = await recorded(store, program())
    before = len(await store.list_runs(100))
    with pytest.raises(NotFound):
        await fork(store, "nowhere", at="plan")
    with pytest.raises(NotFound, match="No task 'z'"):
        await fork(store, origin, at="z")
    with pytest.raises(InvalidRequest):
        await fork(store, origin, at="a", set={"output": 1})
    assert len(await store.list_runs(100)) == before


@pytest.mark.parametrize("at", ["plan", "a", "a:look", "#7"])
async def test_the_time_between_a_run_and_its_fork_is_no_work(store: Store, at: str) -> None:
    events = await store.events(await recorded(store, program()))
    old = [event.model_copy(update={"at": 1000.0 + number}) for number, event in enumerate(events)]
    origin = await store.fork_run(await recorded(store, program()), old)
    changes: dict[str, Any] = {"a": {"result": 1}, "a:look": {"output": 1}}
    made = await fork(store, origin.id, at=at, set=changes.get(at))
    async with await store.open_run(made.id) as journal:
        assert journal.seconds <= len(events)


async def test_what_was_skipped_is_no_task_to_fork_at(store: Store) -> None:
    async with await store.create_run("c", "r") as journal:
        await journal.append(RunStarted(crew="c", request="r"))
        await journal.append(TaskSkipped(task_id="a", because="no"))
    with pytest.raises(NotFound, match="No task 'a' was begun in this run"):
        await fork(store, "last", at="a")
