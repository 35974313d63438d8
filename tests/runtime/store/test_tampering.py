"""An event that was changed, added or taken out after it was written is noticed, and the place is said."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from crewgraph.runtime.errors import JournalTampered
from crewgraph.runtime.events import Noted, RunFinished, RunPaused, StepFinished
from crewgraph.runtime.journalling.row import link
from crewgraph.runtime.store.sql.database import Statement, write
from crewgraph.runtime.store.store import SqlStore

LARGE = "large " * 15_000


async def filled(store: SqlStore) -> tuple[str, int]:
    """A run of seven events, two of them with large values; it is at rest."""
    async with await store.create_run("crew", "r") as journal:
        for number in range(4):
            journal.write(Noted(at=time.time(), task_id=f"t{number}", text=f"text {number}"))
        for name in ("one", "two"):
            journal.write(StepFinished(at=1.0, task_id="t", name="s", key=name, output=name + LARGE))
        await journal.append(RunFinished(at=time.time(), answer="done"))
    ((number,),) = await store.database.fetch("SELECT number FROM runs WHERE id = ?", (journal.run_id,))
    return journal.run_id, int(number)


async def change(store: SqlStore, sql: str, *parameters: object) -> None:
    assert (await write(store.database, Statement(sql, parameters))).changed > 0


def readings(store: SqlStore, run_id: str) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: store.events(run_id),
        lambda: store.rows(run_id),
        lambda: store.read_run(run_id),
        lambda: store.open_run(run_id),
        lambda: store.export_run(run_id),
    ]


async def noticed(store: SqlStore, run_id: str, where: str) -> None:
    for read in readings(store, run_id):
        with pytest.raises(JournalTampered, match=f"Run {run_id} was tampered with: {where}") as said:
            await read()
        assert str(said.value).endswith("restore the database from a copy, or delete the run.")


@pytest.mark.parametrize(
    "assignment",
    [
        "at = at + 1",
        "kind = 'task_erred'",
        "task_id = 't9'",
        "body = (SELECT body FROM events AS other WHERE other.run = events.run AND other.seq = 1)",
        "link = (SELECT link FROM events AS other WHERE other.run = events.run AND other.seq = 1)",
    ],
)
async def test_a_changed_event(any_store: SqlStore, assignment: str) -> None:
    run_id, number = await filled(any_store)
    await change(any_store, f"UPDATE events SET {assignment} WHERE run = ? AND seq = 3", number)
    await noticed(any_store, run_id, r"event 3 \(.*\) is not what was written")


async def test_a_changed_event_is_named_with_its_task(any_store: SqlStore) -> None:
    run_id, number = await filled(any_store)
    await change(any_store, "UPDATE events SET at = 0 WHERE run = ? AND seq = 3", number)
    await noticed(any_store, run_id, r"event 3 \(noted of task 't2'\) is not what was written")


async def test_a_removed_event(any_store: SqlStore) -> None:
    run_id, number = await filled(any_store)
    await change(any_store, "DELETE FROM events WHERE run = ? AND seq = 2", number)
    await noticed(any_store, run_id, r"event 2 is missing \(event 3 comes next\)")


async def test_events_that_changed_places(any_store: SqlStore) -> None:
    run_id, number = await filled(any_store)
    for old, new in ((2, 99), (3, 2), (99, 3)):
        await change(any_store, f"UPDATE events SET seq = {new} WHERE run = ? AND seq = {old}", number)
    await noticed(any_store, run_id, "event 2 .* is not what was written")


@pytest.mark.parametrize("left", [6, 3, 0])
async def test_a_tail_that_was_cut_off(any_store: SqlStore, left: int) -> None:
    run_id, number = await filled(any_store)
    await change(any_store, f"DELETE FROM events WHERE run = ? AND seq > {left}", number)
    await noticed(any_store, run_id, f"what came after event {left} is missing")


async def test_a_tail_that_was_cut_off_a_run_that_waits_or_was_given_back(any_store: SqlStore) -> None:
    for paused in (True, False):
        async with await any_store.create_run("crew", "r") as journal:
            journal.write(Noted(at=1.0, task_id="", text="a"))
            await journal.append(RunPaused(at=1.0) if paused else Noted(at=1.0, task_id="", text="b"))
        await change(any_store, "DELETE FROM events WHERE seq = 2")
        await noticed(any_store, journal.run_id, "what came after event 1 is missing")


async def test_swapped_large_values(any_store: SqlStore) -> None:
    run_id, _ = await filled(any_store)
    (first, body), (second, other) = await any_store.database.fetch("SELECT digest, body FROM blobs")
    await change(any_store, "UPDATE blobs SET body = ? WHERE digest = ?", other, first)
    await change(any_store, "UPDATE blobs SET body = ? WHERE digest = ?", body, second)
    await noticed(any_store, run_id, r"event 5 \(step_finished of task 't'\) is not what was written")


async def test_a_large_value_that_was_taken_away(any_store: SqlStore) -> None:
    run_id, _ = await filled(any_store)
    await change(any_store, "DELETE FROM blobs")
    await noticed(any_store, run_id, r"event 5 \(step_finished of task 't'\) is not what was written")


async def test_a_forger_who_knows_how_links_are_made_needs_the_key(
    any_store: SqlStore, key: bytes | None
) -> None:
    run_id, number = await filled(any_store)
    rows = await any_store.rows(run_id)
    await change(any_store, "DELETE FROM events WHERE run = ? AND seq = 7", number)
    forged = link(rows[4].link, rows[5])
    await change(any_store, "UPDATE events SET link = ? WHERE run = ? AND seq = 6", forged, number)
    await change(any_store, "UPDATE runs SET head = ? WHERE number = ?", forged, number)
    if key is None:  # without a key the chain shows accidents and meddling by hand, not a forger
        assert len(await any_store.events(run_id)) == 6
    else:
        await noticed(any_store, run_id, "event 6 .* is not what was written")


async def test_a_tampered_run_can_be_deleted_and_others_are_not_touched(any_store: SqlStore) -> None:
    run_id, number = await filled(any_store)
    sound, _ = await filled(any_store)
    await change(any_store, "DELETE FROM events WHERE run = ? AND seq = 2", number)
    assert len(await any_store.events(sound)) == 7
    assert len(await any_store.list_runs()) == 2
    await any_store.delete_run(run_id)
    assert [record.id for record in await any_store.list_runs()] == [sound]


async def test_refusing_a_tampered_run_does_not_claim_it(any_store: SqlStore) -> None:
    run_id, number = await filled(any_store)
    await change(any_store, "DELETE FROM events WHERE run = ? AND seq = 2", number)
    with pytest.raises(JournalTampered):
        await any_store.open_run(run_id)
    assert await any_store.database.fetch("SELECT owner FROM runs") == [(None,)]
    await noticed(any_store, run_id, "event 2 is missing")
