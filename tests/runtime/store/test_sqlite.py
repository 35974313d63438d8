"""The store keeps runs and conversations, finds them again, and says in one sentence what it cannot do."""
# ruff: noqa: ASYNC240 - looking at small files is what these tests do

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import NotFound, StoreError
from crewgraph.runtime.events import Noted, RunCancelled, RunErred, RunFinished, RunStarted, StepFinished
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.database import Statement, write
from crewgraph.runtime.store.sqlite.database import SqliteDatabase
from crewgraph.runtime.store.store import SqlStore


async def test_a_run_is_kept_with_all_that_was_said_of_it(database: Path) -> None:
    async with open_store(database) as store:
        thread = await store.create_thread("countries")
        journal = await store.create_run(
            "crew",
            "which is larger?",
            crew_path="/crews/c.py",
            model="m",
            options={"limit": 2, "tags": ["a"]},
            thread_id=thread.id,
        )
        ctx = RunContext(journal)
        await ctx.emit(RunStarted(crew="crew", request="which is larger?"))
        assert (await store.find_run(journal.run_id)).status == "running"
        await ctx.emit(StepFinished(task_id="t", name="s", key="k", tokens=12, tool_calls=2, money=0.5))
        await ctx.emit(RunFinished(answer="Peru", tokens=12, seconds=0.5))
    async with open_store(database) as store:
        record = await store.find_run("last")
        assert (record.status, record.answer, record.tokens) == ("finished", "Peru", 12)
        assert (record.tool_calls, record.money) == (2, 0.5)
        assert record.seconds > 0
        assert (record.crew, record.crew_path, record.model) == ("crew", "/crews/c.py", "m")
        assert record.options == {"limit": 2, "tags": ["a"]}
        assert record.thread_id == thread.id
        assert record.finished is not None
        assert record.finished >= record.created
        assert [event.kind for event in await store.events(record.id)] == [
            "run_started",
            "step_finished",
            "run_finished",
        ]


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [(RunErred(error="it broke", code="x"), "failed", "it broke"), (RunCancelled(), "cancelled", "")],
)
async def test_how_a_run_ended_is_in_its_line_and_it_may_be_resumed(
    store: SqlStore, event: RunErred | RunCancelled, status: str, error: str
) -> None:
    journal = await store.create_run("crew", "r")
    await RunContext(journal).emit(event)
    record = await store.find_run(journal.run_id)
    assert (record.status, record.error) == (status, error)
    async with await store.open_run(journal.run_id):
        assert (await store.find_run(journal.run_id)).status == "running"


async def test_runs_are_found_by_id_by_beginning_and_as_the_last(store: SqlStore) -> None:
    first = await store.create_run("crew", "one")
    second = await store.create_run("crew", "two")
    assert (await store.find_run("last")).id == second.run_id
    assert (await store.find_run(first.run_id)).request == "one"
    common = next(n for n in range(30) if first.run_id[n] != second.run_id[n])
    assert (await store.find_run(second.run_id[: common + 1])).request == "two"
    with pytest.raises(NotFound, match=f"Several runs begin with 'r-'.*{second.run_id}, {first.run_id}"):
        await store.find_run("r-")
    assert [record.request for record in await store.list_runs()] == ["two", "one"]
    assert [record.request for record in await store.list_runs(limit=1)] == ["two"]


@pytest.mark.parametrize("which", ["", "r-2020", "%", "_", "last ", "'; DROP TABLE runs; --"])
async def test_a_run_that_is_not_there_is_named(store: SqlStore, which: str) -> None:
    await store.create_run("crew", "r")
    with pytest.raises(NotFound, match="There is no run"):
        await store.find_run(which)
    for ask in (store.events, store.open_run, store.read_run):
        with pytest.raises(NotFound):
            await ask(which)


async def test_before_any_run_last_says_so(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no run yet"):
        await store.find_run("last")
    assert await store.list_runs() == []


async def test_many_runs_of_one_second_have_ids_of_their_own(store: SqlStore) -> None:
    journals = await asyncio.gather(*(store.create_run("crew", "r") for _ in range(300)))
    assert len({journal.run_id for journal in journals}) == 300


async def test_a_run_is_not_claimed_twice_in_one_process(store: SqlStore, database: Path) -> None:
    journal = await store.create_run("crew", "r")
    with pytest.raises(StoreError, match="carried out by this process"):
        await store.open_run(journal.run_id)
    async with open_store(database) as other:
        with pytest.raises(StoreError, match="carried out by another process"):
            await other.open_run(journal.run_id)
        await journal.aclose()
        outcomes = await asyncio.gather(
            *(one.open_run(journal.run_id) for one in (store, other)), return_exceptions=True
        )
        assert sum(isinstance(outcome, StoreError) for outcome in outcomes) == 1


async def test_a_thread_keeps_its_messages_in_order(store: SqlStore) -> None:
    thread = await store.create_thread("greetings")
    for number in range(5):
        await store.add_message(thread.id, "user", f"hello {number}", run_id="r-1")
    assert [message.content for message in await store.messages(thread.id)] == [
        f"hello {n}" for n in range(5)
    ]
    assert (await store.thread(thread.id)).title == "greetings"
    assert [found.id for found in await store.list_threads()] == [thread.id]


async def test_a_thread_that_is_not_there_is_named(store: SqlStore) -> None:
    for ask in (store.thread("t-x"), store.messages("t-x"), store.add_message("t-x", "user", "hi")):
        with pytest.raises(NotFound, match="no thread 't-x'"):
            await ask


async def test_what_was_asked_for_before_closing_is_written(database: Path) -> None:
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        for number in range(200):
            task = asyncio.create_task(journal.append(Noted(task_id="", text=str(number))))
            await asyncio.sleep(0)
            task.cancel()
    async with open_store(database) as store:
        assert [e.text for e in await store.events("last") if isinstance(e, Noted)] == [
            str(n) for n in range(200)
        ]


async def test_a_closed_store_says_so(database: Path) -> None:
    store = await open_store(database)
    journal = await store.create_run("crew", "r")
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError, match="database is closed"):
        await RunContext(journal).emit(Noted(task_id="", text="late"))
    await journal.aclose()


async def test_a_statement_that_fails_does_not_take_its_neighbours_down(store: SqlStore) -> None:
    insert = "INSERT INTO threads (id, created, title) VALUES (?, 0, '')"
    outcomes = await asyncio.gather(
        *(write(store.database, Statement(insert, (name,))) for name in ["a", "b", "a", "c"]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == [False, False, True, False]
    assert {thread.id for thread in await store.list_threads()} == {"a", "b", "c"}


def writing_connection(store: SqlStore) -> sqlite3.Connection:
    assert isinstance(store.database, SqliteDatabase)
    return store.database._writer._connection


async def test_a_full_disk_is_one_sentence_and_what_was_written_stays(database: Path) -> None:
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        await journal.append(Noted(task_id="", text="small"))
        (pages,) = writing_connection(store).execute("PRAGMA page_count").fetchone()
        writing_connection(store).execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"cannot be used \(database or disk is full\): free some space"):
            await journal.append(Noted(task_id="", text="large" * 20_000))
        assert [event.kind for event in await store.events("last")] == ["noted"]


async def test_a_place_that_cannot_hold_a_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "runs.db", tmp_path / "folder"):
        with pytest.raises(StoreError, match="cannot be used"):
            await open_store(path)


async def test_a_folder_that_may_not_be_written_is_one_sentence() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "runs.db"
        Path(folder).chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            with pytest.raises(
                StoreError, match=r"cannot be used \(Permission denied\): check that its folder"
            ):
                await open_store(path)
        finally:
            if root:
                os.seteuid(0)
            Path(folder).chmod(0o755)


async def test_only_its_owner_may_read_the_database(store: SqlStore, database: Path) -> None:
    assert database.stat().st_mode & 0o777 == 0o600


async def test_missing_folders_are_made(tmp_path: Path) -> None:
    async with open_store(tmp_path / "a b" / "c#d?" / "runs %41.db") as store:
        await store.create_run("crew", "r")
        assert len(await store.list_runs()) == 1


async def test_a_database_of_a_newer_version_is_left_alone(database: Path) -> None:
    async with open_store(database):
        pass
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"written by a newer crewgraph .*version 99"):
        await open_store(database)
    assert database.exists()


async def test_somebody_elses_database_is_left_alone(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    with pytest.raises(StoreError, match="not one of crewgraph"):
        await open_store(database)


async def test_a_database_whose_making_broke_off_is_finished(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version))")
    connection.close()
    async with open_store(database) as store:
        await store.create_run("crew", "r")


async def test_two_stores_made_at_once_are_one_database(database: Path) -> None:
    stores = await asyncio.gather(*(open_store(database)._open() for _ in range(4)))
    try:
        await asyncio.gather(*(store.create_run("crew", "r") for store in stores for _ in range(20)))
        assert len(await stores[0].list_runs(limit=100)) == 80
    finally:
        for store in stores:
            await store.aclose()


async def test_opening_is_quick_also_when_there_is_much_in_it(database: Path) -> None:
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        await asyncio.gather(*(journal.append(Noted(task_id="", text="x" * 500)) for _ in range(20_000)))
    took = []
    for _ in range(10):
        began = time.perf_counter()
        async with open_store(database):
            took.append(time.perf_counter() - began)
    assert min(took) < 0.03


async def test_a_power_cut_can_be_guarded_against(database: Path) -> None:
    async with open_store(database, synchronous="FULL") as store:
        assert writing_connection(store).execute("PRAGMA synchronous").fetchone() == (2,)
        await store.create_run("crew", "r")


async def test_nothing_is_left_behind_by_a_store_that_was_closed(database: Path) -> None:
    async with open_store(database) as store:
        await store.create_run("crew", "r")
    left = {path.name for path in database.parent.rglob("*")}
    assert left == {database.name, f"{database.name}.locks", "opening"}


def test_the_orm_is_not_loaded_to_carry_out_a_run(database: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from crewgraph.runtime.store import open_store\n"
        "from crewgraph.runtime.context import RunContext\n"
        "async def main():\n"
        "    async with open_store(sys.argv[1]) as store:\n"
        "        await RunContext(await store.create_run('c', 'r')).note('x')\n"
        "asyncio.run(main())\n"
        "print('sqlalchemy' in sys.modules)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(database)], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]
