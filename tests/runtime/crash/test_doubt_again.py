"""An effect that is in doubt a second time is asked about a second time: the first answer was to another question."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidRequest, StepInDoubt
from crewgraph.runtime.events import Answer
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
    from crewgraph.runtime.questions import open_questions

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
