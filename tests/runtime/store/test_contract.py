"""What every store promises, whichever database it is on and whether it is encrypted: runs and their events."""

from __future__ import annotations

import asyncio
import time

import pytest

from crewgraph.runtime.errors import ClaimLost, InvalidRequest, NotFound, StoreError
from crewgraph.runtime.events import (
    Answer,
    Asked,
    Event,
    Noted,
    RunCancelled,
    RunErred,
    RunFinished,
    RunForked,
    RunPaused,
    RunResumed,
    RunStarted,
    StepFinished,
    StepIntended,
)
from crewgraph.runtime.journal import Journal
from crewgraph.runtime.store.store import SqlStore

from .conftest import Opener

LONG = "long " * 20_000
AWKWARD = "half \ud800, nothing \0, 中文, 🙂, ', \\, \u2028"


def note(text: str = "x", task_id: str = "") -> Noted:
    return Noted(at=time.time(), task_id=task_id, text=text)


def step(output: object = 1, *, task_id: str = "t", key: str = "k", **used: float) -> StepFinished:
    return StepFinished.model_validate(
        {"at": time.time(), "task_id": task_id, "name": "s", "key": key, "output": output, **used}
    )


async def write_all(journal: Journal, *events: Event) -> None:
    for event in events:
        journal.write(event)
    await journal.flush()


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


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [
        (RunFinished(answer="a"), "finished", ""),
        (RunErred(error="it broke", code="x"), "failed", "it broke"),
        (RunCancelled(), "cancelled", ""),
        (RunPaused(keys=("k",), reason="a question"), "waiting", ""),
    ],
)
async def test_a_run_at_rest_is_nobodys_and_goes_on_where_it_is_opened(
    opener: Opener, event: Event, status: str, error: str
) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    await journal.append(step(tokens=3))
    await journal.append(event.model_copy(update={"at": time.time()}))
    record = await other.find_run(journal.run_id)
    assert (record.status, record.error, record.tokens) == (status, error, 3)
    assert (record.finished is None) == (status == "waiting")
    async with await other.open_run(journal.run_id) as resumed:
        assert (await store.find_run(journal.run_id)).status == "running"
        assert (await store.find_run(journal.run_id)).finished is None
        assert resumed.finished_steps == 1
        assert resumed.record is not None
        assert resumed.record.id == journal.run_id
        await resumed.append(step(tokens=4, key="k2"))
        await resumed.append(RunFinished(at=time.time(), answer="b"))
    record = await store.find_run(journal.run_id)
    assert (record.status, record.answer, record.tokens) == ("finished", "b", 7)


async def test_a_run_goes_on_after_its_rest_only_while_nobody_else_has_it(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    await journal.append(RunErred(at=time.time(), error="x", code="y"))
    await journal.append(RunResumed(at=time.time(), finished_steps=0))
    assert (await other.find_run(journal.run_id)).status == "running"
    with pytest.raises(StoreError, match="another process"):
        await other.open_run(journal.run_id)
    await journal.append(RunErred(at=time.time(), error="x", code="y"))
    async with await other.open_run(journal.run_id) as taken:
        with pytest.raises(ClaimLost, match=f"Run {journal.run_id} has been taken over"):
            await journal.append(note())
        await taken.append(note("mine"))
    assert [event.kind for event in await store.events(journal.run_id)] == [
        "run_erred",
        "run_resumed",
        "run_erred",
        "run_resumed",
        "noted",
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


async def test_after_a_failure_a_run_has_no_gap(opener: Opener) -> None:
    store, thief = await opener(), await opener()
    journal, neighbour = await store.create_run("crew", "r"), await store.create_run("crew", "n")
    await journal.append(note("1"))
    stolen = (await store.rows(journal.run_id))[0]._replace(seq=2)
    number = (await store.database.fetch("SELECT number FROM runs WHERE id = ?", (journal.run_id,)))[0][0]
    from crewgraph.runtime.store.database import Statement, write
    from crewgraph.runtime.store.statements import APPEND

    await write(thief.database, Statement(APPEND, (number, *stolen[:7])))
    journal.write(note("2"))
    journal.write(note("3"))
    with pytest.raises(ClaimLost):
        await journal.flush()
    with pytest.raises(ClaimLost):
        await journal.append(note("4"))
    await neighbour.append(note("well"))
    assert await store.database.fetch("SELECT count(*) FROM events WHERE run = ?", (number,)) == [(2,)]


async def test_runs_are_found_by_id_by_beginning_and_as_the_last(any_store: SqlStore) -> None:
    first = await any_store.create_run("crew", "one")
    second = await any_store.create_run("crew", "two")
    assert (await any_store.find_run("last")).id == second.run_id
    assert (await any_store.find_run(first.run_id)).request == "one"
    common = next(n for n in range(30) if first.run_id[n] != second.run_id[n])
    assert (await any_store.find_run(second.run_id[: common + 1])).request == "two"
    with pytest.raises(NotFound, match=f"Several runs begin with 'r-'.*{second.run_id}, {first.run_id}"):
        await any_store.find_run("r-")


@pytest.mark.parametrize("which", ["", "r-2020", "%", "_", "last ", "'; DROP TABLE runs; --"])
async def test_a_run_that_is_not_there_is_named(any_store: SqlStore, which: str) -> None:
    await any_store.create_run("crew", "r")
    for ask in (
        any_store.find_run(which),
        any_store.events(which),
        any_store.rows(which),
        any_store.open_run(which),
        any_store.read_run(which),
        any_store.delete_run(which),
        any_store.export_run(which),
        any_store.fork_run(which, []),
        any_store.answer(which, "k", Answer(decision="approve")),
    ):
        with pytest.raises(NotFound, match="There is no run"):
            await ask


async def test_before_any_run_last_says_so(any_store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no run yet"):
        await any_store.find_run("last")
    assert await any_store.list_runs() == []


async def test_many_runs_of_one_second_have_ids_of_their_own(any_store: SqlStore) -> None:
    journals = await asyncio.gather(*(any_store.create_run("crew", "r") for _ in range(300)))
    assert len({journal.run_id for journal in journals}) == 300
    assert len(await any_store.list_runs(limit=1000)) == 300


async def test_a_run_may_have_an_id_of_its_makers_choice_once(any_store: SqlStore) -> None:
    assert (await any_store.create_run("crew", "r", run_id="r-mine")).run_id == "r-mine"
    with pytest.raises(StoreError, match=r"There is a run 'r-mine' .* already"):
        await any_store.create_run("crew", "r", run_id="r-mine")


async def test_a_run_that_nobody_has_claimed_is_carried_out_by_whoever_opens_it(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r", claim=False)
    await journal.append(RunStarted(at=time.time(), crew="crew", request="r"))
    assert (await store.find_run(journal.run_id)).status == "interrupted"
    await journal.aclose()
    async with await other.open_run(journal.run_id) as opened:
        assert (await store.find_run(journal.run_id)).status == "running"
        await opened.append(RunFinished(at=time.time(), answer="done"))
    assert (await store.find_run(journal.run_id)).answer == "done"


async def test_a_run_is_carried_out_by_one_process(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    with pytest.raises(StoreError, match=f"Run {journal.run_id} is being carried out by this process"):
        await store.open_run(journal.run_id)
    with pytest.raises(StoreError, match=f"Run {journal.run_id} is being carried out by another process"):
        await other.open_run(journal.run_id)
    assert (await other.find_run(journal.run_id)).status == "running"
    await journal.aclose()
    assert (await other.find_run(journal.run_id)).status == "interrupted"
    outcomes = await asyncio.gather(
        *(one.open_run(journal.run_id) for one in (store, other) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Journal", *["StoreError"] * 5]
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Journal)]
    await winner.append(note("mine"))
    await winner.aclose()


async def test_what_a_closed_store_held_is_free(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    await journal.append(note())
    await store.aclose()
    assert (await other.find_run(journal.run_id)).status == "interrupted"
    async with await other.open_run(journal.run_id):
        pass


async def test_reading_a_run_claims_nothing(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await store.create_run("crew", "r")
    await write_all(journal, step(), note())
    reading = await other.read_run(journal.run_id)
    assert (reading.read_only, reading.finished_steps) == (True, 1)
    await journal.append(note("still mine"))


async def test_runs_are_listed_by_status_and_tenant_the_newest_first(any_store: SqlStore) -> None:
    for number in range(6):
        journal = await any_store.create_run("crew", str(number), tenant="a" if number % 2 else "b")
        if number < 2:
            await journal.append(RunFinished(at=time.time(), answer="x"))
        elif number < 4:
            await journal.aclose()

    async def listed(limit: int = 20, **which: str) -> list[str]:
        return [record.request for record in await any_store.list_runs(limit, **which)]  # type: ignore[arg-type]

    assert await listed() == ["5", "4", "3", "2", "1", "0"]
    assert await listed(2) == ["5", "4"]
    assert await listed(tenant="a") == ["5", "3", "1"]
    assert await listed(tenant="nobody") == []
    assert await listed(status="finished") == ["1", "0"]
    assert await listed(status="running") == ["5", "4"]
    assert await listed(status="interrupted") == ["3", "2"]
    assert await listed(1, status="interrupted") == ["3"]
    assert await listed(status="running", tenant="b") == ["4"]
    assert await listed(status="failed") == []


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


async def waiting(store: SqlStore, **options: str) -> Journal:
    journal = await store.create_run("crew", "r", **options)  # type: ignore[arg-type]
    await journal.append(
        Asked(at=1.0, task_id="t", key="question-1", question="May I?", choices=("approve", "edit", "reject"))
    )
    return journal


async def test_an_answer_waits_for_whoever_carries_the_run_out(opener: Opener) -> None:
    store, other = await opener(), await opener()
    journal = await waiting(store)
    assert await journal.take_answers() == []
    said = Answer(decision="edit", value={"x": LONG}, note="because", by="Ann")
    await other.answer(journal.run_id, "question", said)
    assert await journal.take_answers() == ["question-1"]
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


async def test_a_run_carried_for_another_is_part_of_it(any_store: SqlStore) -> None:
    parent = await any_store.create_run("crew", "whole", tenant="a")
    await parent.append(step(key="own", tokens=1))
    child = await waiting(any_store, parent=parent.run_id, tenant="a", run_id=f"{parent.run_id}.t")
    await write_all(
        child,
        RunStarted(at=2.0, crew="c", request="r"),
        step(LONG, key="theirs", task_id="t", tokens=10, money=1.0),
    )
    await any_store.answer(parent.run_id, "question-1", Answer(decision="approve"))
    assert await child.take_answers() == ["question-1"]
    await child.append(RunFinished(at=time.time(), answer="part"))
    assert [record.request for record in await any_store.list_runs()] == ["whole"]
    assert (await any_store.find_run("last")).id == parent.run_id
    assert (await any_store.find_run(parent.run_id[:5])).id == parent.run_id
    kinds = [event.kind for event in await any_store.events(parent.run_id)]
    assert sorted(kinds) == ["answered", "asked", "step_finished", "step_finished"]
    assert [row.key for row in await any_store.rows(parent.run_id)] == ["own"]
    await parent.append(RunPaused(at=time.time()))
    async with await any_store.open_run(parent.run_id) as again:
        assert again.finished_steps == 3
        assert again.steps.find("theirs") is not None
        assert again.spent.tokens == 11
        await again.append(RunFinished(at=time.time(), answer="whole"))
    record = await any_store.find_run(parent.run_id)
    assert (record.tokens, record.money) == (11, 1.0)
    used = await any_store.usage("a")
    assert (used.runs, used.tokens, used.money) == (1, 11, 1.0)
    await any_store.delete_run(parent.run_id)
    for table in ("runs", "events", "blobs", "blob_refs", "answers"):
        assert await any_store.database.fetch(f"SELECT count(*) FROM {table}") == [(0,)]


async def test_what_a_tenant_has_used_is_counted(any_store: SqlStore) -> None:
    began = time.time()
    for tenant in ("a", "a", "b"):
        journal = await any_store.create_run("crew", "r", tenant=tenant)
        await journal.append(step(tokens=5, tool_calls=1, money=0.25))
        await journal.append(RunErred(at=time.time(), error="e", code="c"))
    used = await any_store.usage("a", began - 1)
    assert (used.runs, used.tokens, used.tool_calls, used.money) == (2, 10, 2, 0.5)
    assert used.seconds >= 0
    assert (await any_store.usage("a", time.time() + 1)).runs == 0
    assert (await any_store.usage("nobody")).runs == 0


async def test_a_deleted_run_takes_what_is_its_own_with_it(opener: Opener) -> None:
    store, other = await opener(), await opener()
    kept, gone = await store.create_run("crew", "kept"), await store.create_run("crew", "gone")
    await write_all(kept, step(LONG))
    await write_all(gone, step(LONG), step(LONG + "own", key="k2"))
    with pytest.raises(StoreError, match="carried out by another process"):
        await other.delete_run(gone.run_id)
    with pytest.raises(StoreError, match="carried out by this process"):
        await store.delete_run(gone.run_id)
    await gone.aclose()
    await other.delete_run(gone.run_id)
    with pytest.raises(NotFound):
        await store.find_run(gone.run_id)
    assert await store.database.fetch("SELECT count(*) FROM blobs") == [(1,)]
    assert await store.events(kept.run_id) != []


async def test_old_runs_are_pruned_and_no_others(any_store: SqlStore) -> None:
    ends: list[Event | None] = [RunFinished(at=100.0, answer="a"), RunErred(at=100.0, error="e", code="c")]
    ends += [RunFinished(at=300.0, answer="new"), RunPaused(at=100.0), None]
    journals = []
    for number, end in enumerate(ends):
        journal = await any_store.create_run("crew", str(number))
        child = await any_store.create_run("crew", "child", parent=journal.run_id)
        await child.append(RunFinished(at=50.0, answer="part"))
        journals.append(journal)
        if end is not None:
            await journal.append(end)
    assert await any_store.prune(200.0) == 2
    assert await any_store.prune(200.0) == 0
    assert [record.request for record in await any_store.list_runs()] == ["4", "3", "2"]
    assert await any_store.database.fetch("SELECT count(*) FROM runs") == [(6,)]
    await journals[4].append(note("still there"))


async def test_threads_and_their_messages(any_store: SqlStore) -> None:
    thread = await any_store.create_thread("greetings")
    other = await any_store.create_thread()
    for number in range(5):
        await any_store.add_message(thread.id, "user", f"hello {number}", run_id="r-1")
    messages = await any_store.messages(thread.id)
    assert [message.content for message in messages] == [f"hello {n}" for n in range(5)]
    assert {(message.thread_id, message.role, message.run_id) for message in messages} == {
        (thread.id, "user", "r-1")
    }
    assert (await any_store.thread(thread.id)).title == "greetings"
    assert [found.id for found in await any_store.list_threads()] == [other.id, thread.id]
    assert [found.id for found in await any_store.list_threads(1)] == [other.id]
    assert await any_store.messages(other.id) == []


async def test_a_thread_that_is_not_there_is_named(any_store: SqlStore) -> None:
    for ask in (
        any_store.thread("t-x"),
        any_store.messages("t-x"),
        any_store.add_message("t-x", "user", "hi"),
        any_store.delete_thread("t-x"),
    ):
        with pytest.raises(NotFound, match="no thread 't-x'"):
            await ask
    assert await any_store.database.fetch("SELECT count(*) FROM messages") == [(0,)]


async def test_a_deleted_thread_takes_its_messages_runs_and_events_with_it(opener: Opener) -> None:
    store, other = await opener(), await opener()
    thread, kept = await store.create_thread("gone"), await store.create_thread("kept")
    for one in (thread, kept):
        await store.add_message(one.id, "user", "hi")
        journal = await store.create_run("crew", "r", thread_id=one.id)
        await write_all(journal, step(LONG), note())
        await journal.append(RunFinished(at=time.time(), answer="a"))
    running = await store.create_run("crew", "r", thread_id=thread.id)
    with pytest.raises(StoreError, match=f"Run {running.run_id} is being carried out"):
        await other.delete_thread(thread.id)
    assert len(await store.messages(thread.id)) == 1
    await running.append(note("not disturbed"))
    await running.aclose()
    fork = await store.fork_run(running.run_id, await store.events(running.run_id))
    await store.delete_thread(thread.id)
    assert [found.id for found in await store.list_threads()] == [kept.id]
    assert [record.thread_id for record in await store.list_runs()] == [kept.id]
    with pytest.raises(NotFound):
        await store.find_run(fork.id)
    for table, left in (("runs", 1), ("events", 3), ("messages", 1), ("blobs", 1), ("blob_refs", 1)):
        assert await store.database.fetch(f"SELECT count(*) FROM {table}") == [(left,)]


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
