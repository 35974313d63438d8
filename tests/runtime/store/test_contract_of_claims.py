"""What every store promises of whose a run is: one process carries it out, and at rest it is nobody's."""

from __future__ import annotations

import asyncio
import time

import pytest

from crewgraph.runtime.errors import ClaimLost, StoreError
from crewgraph.runtime.events import (
    Answer,
    Event,
    RunCancelled,
    RunErred,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
)
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store.store import SqlStore

from .conftest import Opener
from .saying import LONG, note, step, waiting, write_all


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


async def test_after_a_failure_a_run_has_no_gap(opener: Opener) -> None:
    store, thief = await opener(), await opener()
    journal, neighbour = await store.create_run("crew", "r"), await store.create_run("crew", "n")
    await journal.append(note("1"))
    stolen = (await store.rows(journal.run_id))[0]._replace(seq=2)
    number = (await store.database.fetch("SELECT number FROM runs WHERE id = ?", (journal.run_id,)))[0][0]
    from crewgraph.runtime.store.sql.database import Statement, write
    from crewgraph.runtime.store.sql.statements import APPEND

    await write(thief.database, Statement(APPEND, (number, *stolen[:7])))
    journal.write(note("2"))
    journal.write(note("3"))
    with pytest.raises(ClaimLost):
        await journal.flush()
    with pytest.raises(ClaimLost):
        await journal.append(note("4"))
    await neighbour.append(note("well"))
    assert await store.database.fetch("SELECT count(*) FROM events WHERE run = ?", (number,)) == [(2,)]


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
