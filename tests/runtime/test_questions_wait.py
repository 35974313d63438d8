"""A question waits for a person for as long as it takes, holds nothing meanwhile, and is answered once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidRequest, ReplayDiverged, Suspended
from crewgraph.runtime.events import Answer
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.reading.questions import find_question, open_questions
from crewgraph.runtime.store import Store, open_store


async def ask(ctx: RunContext, about: object = None) -> Answer:
    return await ctx.ask("May I?", about=about)


async def asked(store: Store) -> tuple[str, str]:
    """A run that waits: its id, and the key of its question."""
    async with await store.create_run("c", "r") as journal:
        with pytest.raises(Suspended) as waiting:
            await ask(RunContext(journal).for_task("t"), {"to": "Ann"})
        return journal.run_id, waiting.value.key


async def test_an_unanswered_question_leaves_the_task_and_is_listed(store: Store) -> None:
    run_id, key = await asked(store)
    (question,) = open_questions(await store.events(run_id))
    assert (question.key, question.task_id, question.question) == (key, "t", "May I?")
    assert question.about == {"to": "Ann"}
    assert question.choices == ("approve", "edit", "reject")


async def test_errors_of_agents_do_not_swallow_a_question() -> None:
    async def agent() -> None:
        try:
            await ask(RunContext(Journal("r-test")).for_task("t"))
        except Exception:
            pytest.fail("an agent's error handling took the question for a failure")

    with pytest.raises(Suspended):
        await agent()


async def test_the_answer_is_there_in_the_next_sitting_whoever_carries_it(database: Path) -> None:
    async with open_store(database) as store:
        run_id, key = await asked(store)
    async with open_store(database) as store:
        await store.answer(run_id, key, Answer(decision="edit", value={"to": "Bob"}, by="Eve", note="typo"))
        async with await store.open_run(run_id) as journal:
            said = await ask(RunContext(journal).for_task("t"), {"to": "Ann"})
            assert (said.decision, said.value, said.by, said.note) == ("edit", {"to": "Bob"}, "Eve", "typo")
        assert open_questions(await store.events(run_id)) == []


async def test_an_answer_is_read_back_by_every_later_sitting_and_by_a_replay(store: Store) -> None:
    run_id, key = await asked(store)
    await store.answer(run_id, key, Answer(decision="approve"))
    for _ in range(2):
        async with await store.open_run(run_id) as journal:
            assert (await ask(RunContext(journal).for_task("t"), {"to": "Ann"})).decision == "approve"
    replay = RunContext(await store.read_run(run_id)).for_task("t")
    assert (await ask(replay, {"to": "Ann"})).decision == "approve"
    with pytest.raises(ReplayDiverged):
        await ask(replay, {"to": "somebody else"})


async def test_a_replay_of_a_waiting_run_waits_at_the_same_place(store: Store) -> None:
    run_id, _ = await asked(store)
    with pytest.raises(Suspended):
        await ask(RunContext(await store.read_run(run_id)).for_task("t"), {"to": "Ann"})


async def test_an_answer_that_comes_while_the_run_is_at_work_is_found(store: Store) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal).for_task("t")
        with pytest.raises(Suspended) as waiting:
            await ask(ctx)
        await store.answer(journal.run_id, waiting.value.key, Answer(decision="reject", note="no"))
        assert await journal.take_answers() == [waiting.value.key]
        assert (await ask(ctx)).note == "no"
        assert await journal.take_answers() == []


async def test_the_first_of_two_answers_counts(store: Store) -> None:
    run_id, key = await asked(store)
    await store.answer(run_id, key, Answer(decision="approve"))
    with pytest.raises(InvalidRequest):
        await store.answer(run_id, key, Answer(decision="reject"))
    async with await store.open_run(run_id) as journal:
        assert (await ask(RunContext(journal).for_task("t"), {"to": "Ann"})).decision == "approve"


@pytest.mark.parametrize("answer", [Answer(decision="answer"), Answer(decision="edit")])
async def test_an_answer_that_is_none_is_refused_and_changes_nothing(store: Store, answer: Answer) -> None:
    run_id, key = await asked(store)
    with pytest.raises(InvalidRequest):
        await store.answer(run_id, key, answer)
    await store.answer(run_id, key, Answer(decision="approve"))


async def test_an_unknown_question_is_refused_with_those_that_are_open(store: Store) -> None:
    run_id, key = await asked(store)
    with pytest.raises(InvalidRequest, match=f"no open question 'nonsense'; open are: {key}"):
        await store.answer(run_id, "nonsense", Answer(decision="approve"))


async def test_a_step_in_doubt_is_a_question_once_the_run_is_at_rest(store: Store, effects: Any) -> None:
    started = asyncio.Event()

    async def never() -> None:
        started.set()
        await asyncio.Event().wait()

    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal).for_task("mail")
        sending = asyncio.create_task(ctx.step("send", never, inputs={}, effect="once"))
        await started.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        run_id = journal.run_id
        assert open_questions(await store.events(run_id), running=True) == []
    (question,) = open_questions(await store.events(run_id))
    assert question.in_doubt
    assert "did it happen?" in question.question
    await store.answer(run_id, question.key, Answer(decision="answer", value="sent by hand"))
    async with await store.open_run(run_id) as journal:
        ctx = RunContext(journal).for_task("mail")
        assert await ctx.step("send", effects.giving("x"), inputs={}, effect="once") == "sent by hand"
    assert effects.calls == []


async def test_two_questions_of_one_task_are_told_apart_by_what_they_are_about(store: Store) -> None:
    async with await store.create_run("c", "r") as journal:
        ctx = RunContext(journal).for_task("t")
        for to in ("Ann", "Bob"):
            with pytest.raises(Suspended):
                await ask(ctx, {"to": to})
        first, second = open_questions(await store.events(journal.run_id))
        await store.answer(journal.run_id, second.key, Answer(decision="reject"))
        await journal.take_answers()
        assert (await ask(ctx, {"to": "Bob"})).decision == "reject"
        with pytest.raises(Suspended):
            await ask(ctx, {"to": "Ann"})
        assert find_question([first, second], first.key[:12], "r") == first


async def test_nothing_of_a_waiting_run_stays_in_memory(store: Store) -> None:
    run_id, _ = await asked(store)
    before = asyncio.all_tasks()
    record = await store.find_run(run_id)
    assert record.status in ("waiting", "interrupted")
    assert asyncio.all_tasks() == before
