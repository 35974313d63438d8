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

from crewgraph.runtime.errors import InvalidInput, StoreError
from crewgraph.runtime.events import Noted, RunFinished, StepFinished
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.sql.database import Statement, write
from crewgraph.runtime.store.sqlite.database import SqliteDatabase
from crewgraph.runtime.store.store import SqlStore


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


async def test_a_path_may_be_given_as_a_url(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/runs.db") as store:
        await store.create_run("crew", "r")
    async with open_store(tmp_path / "runs.db") as store:
        assert len(await store.list_runs()) == 1
    for url in ("mysql://root@localhost/runs", "http://example.org"):
        with pytest.raises(
            InvalidInput, match="is no database that runs are kept in: give a path, sqlite:///path or"
        ):
            await open_store(url)


async def test_what_was_deleted_is_in_no_file(store: SqlStore, database: Path) -> None:
    def said() -> list[str]:
        return [
            path.name
            for path in database.parent.iterdir()
            if path.is_file() and b"secret" in path.read_bytes()
        ]

    thread = await store.create_thread("about a secret")
    await store.add_message(thread.id, "user", "a secret")
    for _ in range(20):
        async with await store.create_run("crew", "a secret", thread_id=thread.id) as journal:
            journal.write(StepFinished(at=1.0, task_id="t", name="s", key="k", output="secret" * 20_000))
            await journal.append(RunFinished(at=1.0, answer="a secret"))
    assert said() != []
    await store.delete_thread(thread.id)
    assert said() == []


@pytest.mark.parametrize("notes", [1_000, 1_500, 2_500])
async def test_a_store_closed_while_it_writes_writes_all_of_it_and_leaves_no_log(
    tmp_path: Path, notes: int
) -> None:
    for attempt in range(3):
        database = tmp_path / f"{attempt}.db"
        async with open_store(database) as store:
            journal = await store.create_run("crew", "r")
            for number in range(notes):
                journal.write(Noted(at=1.0, task_id="", text=str(number)))
        assert not database.with_name(f"{database.name}-wal").exists()
        async with open_store(database) as store:
            assert len(await store.events("last")) == notes
