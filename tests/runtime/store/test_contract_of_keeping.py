"""What every store promises of finding, listing, counting and deleting runs and conversations."""

from __future__ import annotations

import time

import pytest

from crewgraph.runtime.errors import NotFound, StoreError
from crewgraph.runtime.events import (
    Answer,
    Event,
    RunErred,
    RunFinished,
    RunPaused,
)
from crewgraph.runtime.store.store import SqlStore

from .conftest import Opener
from .saying import LONG, note, step, write_all


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
        if number == 0:
            carried = await any_store.create_run("crew", "still at work", parent=journal.run_id)
    assert await any_store.prune(200.0) == 1  # one of the two still has a part at work
    await carried.append(RunFinished(at=100.0, answer="part"))
    assert await any_store.prune(200.0) == 1
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
