"""An effect that is in doubt a second time is asked about a second time: the first answer was to another question."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.context import Happened, RunContext
from crewgraph.runtime.errors import InvalidRequest, StepInDoubt, ToolError
from crewgraph.runtime.events import Answer, Event
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.journalling.row import EventRow
from crewgraph.runtime.reading.questions import open_questions
from crewgraph.runtime.store import open_store


class Killed(BaseException):
    """Stands for the end of the process: nothing after it is journalled."""


async def sitting(database: Path, run_id: str, done: list[str], *, dies: str) -> str:
    """One sitting with one `once` effect; its id. It dies "before" the effect, "after" it, or "never"."""

    async def pay() -> str:
        if dies == "before":
            raise Killed
        done.append("paid")
        if dies == "after":
            raise Killed
        return "paid"

    async with open_store(database) as store:
        journal = await (store.open_run(run_id) if run_id else store.create_run("crew", "pay"))
        async with journal:
            await RunContext(journal).for_task("t").step("pay", pay, inputs={}, effect="once")
        return journal.run_id


async def open_doubt(database: Path, run_id: str) -> str:
    async with open_store(database) as store:
        (question,) = open_questions(await store.events(run_id))
        return question.key


async def answered(database: Path, run_id: str, key: str, answer: Answer) -> None:
    async with open_store(database) as store:
        await store.answer(run_id, key, answer)


async def test_an_old_answer_is_none_to_a_new_doubt(database: Path) -> None:
    done: list[str] = []
    async with open_store(database) as store, await store.create_run("crew", "pay") as journal:
        run_id = journal.run_id
    with pytest.raises(Killed):
        await sitting(database, run_id, done, dies="before")
    key = await open_doubt(database, run_id)
    await answered(database, run_id, key, Answer(decision="reject"))  # it did not happen: run it
    with pytest.raises(Killed):
        await sitting(database, run_id, done, dies="after")
    with pytest.raises(StepInDoubt):
        await sitting(database, run_id, done, dies="never")
    assert done == ["paid"], "the answer to the first doubt was taken for the second, and it was paid twice"
    await answered(database, run_id, key, Answer(decision="answer", value="paid"))
    with pytest.raises(InvalidRequest, match="answered already"):
        await answered(database, run_id, key, Answer(decision="reject"))
    await sitting(database, run_id, done, dies="never")
    assert done == ["paid"]


async def test_two_doubts_that_are_cleared_up_side_by_side_do_not_take_each_others_answers(
    database: Path,
) -> None:
    done: list[str] = []
    dies = True

    async def both(run_id: str) -> None:
        def pay(name: str) -> Any:
            async def effect() -> str:
                if dies:
                    await asyncio.sleep(0.01)
                    raise Killed
                done.append(name)
                return name

            return effect

        async with open_store(database) as store:
            async with await store.open_run(run_id) as journal:
                ctx = RunContext(journal)
                steps = [
                    ctx.for_task(name).step("pay", pay(name), inputs={}, effect="once") for name in "abcd"
                ]
                said = await asyncio.gather(*steps, return_exceptions=True)
            if dies:
                assert {type(one) for one in said} == {Killed}
            else:
                assert said == ["a", "b", "paid c", "paid d"]

    async with open_store(database) as store, await store.create_run("crew", "pay") as journal:
        run_id = journal.run_id
    await both(run_id)
    async with open_store(database) as store:
        for question in open_questions(await store.events(run_id)):
            happened = question.task_id in "cd"
            value = f"paid {question.task_id}"
            said = Answer(decision="answer", value=value) if happened else Answer(decision="reject")
            await store.answer(run_id, question.key, said)
    dies = False
    await both(run_id)
    assert sorted(done) == ["a", "b"]


async def test_a_doubt_that_follows_a_failure_is_cleared_up_without_the_failure_being_told_again() -> None:
    """The code was given the failure already, and went on from it; now it is given the result."""
    attempts: list[str] = []

    async def pay() -> str:
        attempts.append("paid")
        if len(attempts) == 1:
            raise ToolError("busy")
        raise Killed

    tape: list[EventRow] = []

    class Sink:
        crowded = False

        def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Any:
            tape.append(row)
            return asyncio.sleep(0) if wait else None

        async def flush(self) -> None: ...

        async def release(self) -> None: ...

        async def answers(self) -> list[Any]:
            return []

    async def happened(key: str) -> Happened:
        return Happened("found: paid")

    async def task(journal: Journal) -> tuple[list[str], str]:
        failures: list[str] = []
        ctx = RunContext(journal).for_task("t")
        while True:
            try:
                return failures, await ctx.step("pay", pay, inputs={}, effect="once", reconcile=happened)
            except ToolError as error:
                failures.append(str(error))

    with pytest.raises(Killed):
        await task(Journal("r-test", sink=Sink()))
    failures, value = await task(Journal("r-test", list(tape), sink=Sink()))
    assert (failures, value) == (["busy"], "found: paid")
    assert len(attempts) == 2
