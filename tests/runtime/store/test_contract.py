"""What every store promises, whichever database it is on and whether it is encrypted: events, forks, answers."""

from __future__ import annotations

import asyncio
import time

import pytest

from crewgraph.runtime.errors import InvalidRequest, StoreError
from crewgraph.runtime.events import (
    Answer,
    Noted,
    RunFinished,
    RunForked,
    RunStarted,
    StepFinished,
    StepIntended,
)
from crewgraph.runtime.store.store import SqlStore

from .conftest import Opener
from .saying import LONG, note, step, waiting, write_all

AWKWARD = "half \ud800, nothing \0, 中文, 🙂, ', \\, \u2028"


async def test_a_run_is_kept_with_all_that_was_said_of_it(opener: Opener) -> None:
    store = await opener()
    thread = await store.create_thread("countries")
    async with await store.create_run(
        "crew",
        "which is larger?",
        crew_path="/crews/c.py",
        model="m",
        options={"limit": 2, "tags": ["a"]},
        thread_id=thread.id,
        tenant="acme",
    ) as journal:
        await journal.append(RunStarted(at=time.time(), crew="crew", request="which is larger?"))
        assert (await store.find_run(journal.run_id)).status == "running"
        await journal.append(step(tokens=12, tool_calls=2, money=0.5))
        await journal.append(RunFinished(at=time.time(), answer="Peru"))
    await store.aclose()
    store = await opener()
    record = await store.find_run("last")
    assert (record.id, record.status, record.answer, record.error) == (journal.run_id, "finished", "Peru", "")
    assert (record.crew, record.crew_path, record.request) == ("crew", "/crews/c.py", "which is larger?")
    assert (record.model, record.tenant, record.thread_id) == ("m", "acme", thread.id)
    assert record.options == {"limit": 2, "tags": ["a"]}
    assert (record.tokens, record.tool_calls, record.money) == (12, 2, 0.5)
    assert record.finished is not None
    assert record.finished >= record.created
    assert record.seconds == pytest.approx(journal.worked)
    assert [event.kind for event in await store.events(record.id)] == [
        "run_started",
        "step_finished",
        "run_finished",
    ]


async def test_events_come_back_as_they_were_in_order(any_store: SqlStore) -> None:
    events = [
        RunStarted(at=1.5, crew="c", request=AWKWARD.replace("\ud800", "?")),
        StepIntended(at=2.25, task_id="t", name="s", key="k-3", inputs={"a": [1, 2.5, None]}, effect="once"),
        step({"deep": [LONG, 1]}, tokens=5),
        note("中文 and 🙂"),
    ]
    async with await any_store.create_run("crew", "r") as journal:
        await write_all(journal, *events)
        assert await any_store.events(journal.run_id) == events
        rows = await any_store.rows(journal.run_id)
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert [len(row.large) for row in rows] == [0, 0, 1, 0]


async def test_awkward_text_is_kept_or_replaced_alike_on_every_database(any_store: SqlStore) -> None:
    thread = await any_store.create_thread(AWKWARD)
    await any_store.add_message(thread.id, "user", AWKWARD)
    journal = await any_store.create_run("crew", AWKWARD, thread_id=thread.id, options={"o": AWKWARD})
    await journal.append(RunFinished(at=1.0, answer=AWKWARD))
    record = await any_store.find_run(journal.run_id)
    plain = AWKWARD.replace("\ud800", "?").replace("\0", "\ufffd")
    assert record.request == record.answer == plain
    assert (await any_store.thread(thread.id)).title == plain
    assert (await any_store.messages(thread.id))[0].content == plain
    assert record.options == {"o": AWKWARD}


async def test_a_large_value_is_kept_once_and_read_back_whole(any_store: SqlStore) -> None:
    for _ in range(2):
        async with await any_store.create_run("crew", "r") as journal:
            await write_all(journal, step(LONG), step(LONG, key="k2"), step(LONG + "x", key="k3"))
    assert await any_store.database.fetch("SELECT count(*) FROM blobs") == [(2,)]
    outputs = [
        event.output for event in await any_store.events(journal.run_id) if isinstance(event, StepFinished)
    ]
    assert outputs == [LONG, LONG, LONG + "x"]
    async with await any_store.open_run(journal.run_id) as resumed:
        found = resumed.steps.find("k3")
        assert found is not None
        assert found.outcomes[0].large[0].text == f'"{LONG}x"'


async def test_ten_thousand_events_are_read_and_checked(any_store: SqlStore) -> None:
    async with await any_store.create_run("crew", "r") as journal:
        await write_all(journal, *(note(str(n)) for n in range(10_000)))
    async with await any_store.open_run(journal.run_id) as resumed:
        assert resumed.finished_steps == 0
    texts = [event.text for event in await any_store.events(journal.run_id) if isinstance(event, Noted)]
    assert texts == [str(n) for n in range(10_000)]


async def test_rows_that_nobody_waits_for_are_safe_after_a_flush(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    for number in range(100):
        assert journal.write(note(str(number))) is None
    await journal.flush()
    assert len(await other.events(journal.run_id)) == 100


async def test_what_was_asked_for_before_closing_is_written(opener: Opener) -> None:
    store = await opener()
    journal = await store.create_run("crew", "r")
    for number in range(200):
        task = asyncio.create_task(journal.append(note(str(number))))
        await asyncio.sleep(0)
        task.cancel()
    await store.aclose()
    again = await opener()
    assert [event.text for event in await again.events("last") if isinstance(event, Noted)] == [
        str(number) for number in range(200)
    ]


async def test_a_closed_store_says_so(opener: Opener) -> None:
    store = await opener()
    journal = await store.create_run("crew", "r")
    await store.aclose()
    await store.aclose()
    journal.write(note("nobody waits"))
    with pytest.raises(StoreError, match="database is closed"):
        await journal.append(note("late"))
    with pytest.raises(StoreError, match="database is closed"):
        await journal.flush()
    await journal.aclose()


async def test_many_runs_of_one_second_have_ids_of_their_own(any_store: SqlStore) -> None:
    journals = await asyncio.gather(*(any_store.create_run("crew", "r") for _ in range(300)))
    assert len({journal.run_id for journal in journals}) == 300
    assert len(await any_store.list_runs(limit=1000)) == 300


async def test_a_run_may_have_an_id_of_its_makers_choice_once(any_store: SqlStore) -> None:
    assert (await any_store.create_run("crew", "r", run_id="r-mine")).run_id == "r-mine"
    with pytest.raises(StoreError, match=r"There is a run 'r-mine' .* already"):
        await any_store.create_run("crew", "r", run_id="r-mine")


async def test_a_fork_begins_with_the_events_it_is_given(any_store: SqlStore) -> None:
    async with await any_store.create_run(
        "crew", "r", model="m", crew_path="p", options={"a": 1}, tenant="t"
    ) as journal:
        await write_all(journal, RunStarted(at=1.0, crew="crew", request="r"), step(LONG), note())
    origin = await any_store.events(journal.run_id)
    kept = [*origin[:2], RunForked(at=2.0, origin=journal.run_id, at_seq=3)]
    record = await any_store.fork_run(journal.run_id, kept, model="other", request="s")
    assert record == await any_store.find_run(record.id)
    assert (record.forked_from, record.status, record.crew, record.crew_path) == (
        journal.run_id,
        "interrupted",
        "crew",
        "p",
    )
    assert (record.model, record.request, record.options, record.tenant) == ("other", "s", {"a": 1}, "t")
    assert await any_store.events(record.id) == kept
    async with await any_store.open_run(record.id) as forked:
        assert forked.finished_steps == 1
        await forked.append(note("on its own"))
    assert await any_store.events(journal.run_id) == origin


async def test_an_answer_waits_for_whoever_carries_the_run_out(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await waiting(store)
    assert await journal.take_answers() == []
    assert [question.key for question in await other.questions(journal.run_id)] == ["question-1"]
    said = Answer(decision="edit", value={"x": LONG}, note="because", by="Ann")
    await other.answer(journal.run_id, "question", said)
    assert await store.questions(journal.run_id) == []
    assert await journal.take_answers() == ["question-1"]
    assert await store.questions(journal.run_id) == []
    assert await journal.take_answers() == []
    (answered,) = [event for event in await other.events(journal.run_id) if event.kind == "answered"]
    assert answered.answer == said


async def test_of_two_answers_the_first_counts(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await waiting(store)
    outcomes = await asyncio.gather(
        *(one.answer(journal.run_id, "question-1", Answer(decision="approve")) for one in (store, other)),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert [str(o) for o in outcomes if o is not None] == [
        f"Question question-1 of run {journal.run_id} has been answered already."
    ]


async def test_an_answer_that_is_none_is_refused(any_store: SqlStore) -> None:
    journal = await waiting(any_store)
    with pytest.raises(InvalidRequest, match="choose one of approve, edit, reject"):
        await any_store.answer(journal.run_id, "question-1", Answer(decision="answer"))
    with pytest.raises(InvalidRequest, match="no open question 'other'; open are: question-1"):
        await any_store.answer(journal.run_id, "other", Answer(decision="approve"))


async def test_many_runs_side_by_side_each_keep_their_own(any_store: SqlStore) -> None:
    async def one(number: int) -> str:
        async with await any_store.create_run("crew", str(number)) as journal:
            for part in range(10):
                await journal.append(note(f"{number}.{part}"))
            await journal.append(RunFinished(at=time.time(), answer=str(number)))
            return journal.run_id

    ids = await asyncio.gather(*map(one, range(50)))
    for number, run_id in enumerate(ids):
        texts = [event.text for event in await any_store.events(run_id) if isinstance(event, Noted)]
        assert texts == [f"{number}.{part}" for part in range(10)]
