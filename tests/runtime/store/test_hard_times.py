"""A full disk, a locked file: one sentence, nothing torn, and the run goes on when the trouble is over."""
# ruff: noqa: ASYNC240 - looking at small files is what these tests do

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ClaimLost, StoreError
from crewgraph.runtime.events import Noted, RunFinished
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.sql.database import CROWD
from crewgraph.runtime.store.sqlite import file
from crewgraph.runtime.store.sqlite.database import SqliteDatabase


def note(text: str) -> Noted:
    return Noted(at=time.time(), task_id="", text=text)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk can only be mounted by root")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({made.stderr.decode().strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_disk_stops_the_run_whole_and_with_space_it_goes_on(small_disk: Path) -> None:
    path, ballast = small_disk / "runs.db", small_disk / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    async with open_store(path) as store:
        journal = await store.create_run("crew", "r")
        safe = 0

        async def write_on() -> None:
            nonlocal safe
            while True:
                journal.write(note("nobody waits"))
                await journal.append(note("x" * 2000))
                safe += 2

        with pytest.raises(
            StoreError, match=r"cannot be used \(.*\): free some space, then resume the run\."
        ) as full:
            await write_on()
        assert safe > 0
        with pytest.raises(StoreError) as again:
            await journal.append(note("small"))
        assert str(again.value) == str(full.value)
        kept = await store.events(journal.run_id)
        assert len(kept) in (safe, safe + 1)
        ballast.unlink()
        with pytest.raises(StoreError):
            await journal.append(note("no gap"))
        await journal.aclose()
        async with await store.open_run(journal.run_id) as resumed:
            await resumed.append(RunFinished(at=time.time(), answer="done"))
        assert (await store.events(journal.run_id))[: len(kept)] == kept
    async with open_store(path) as store:
        assert (await store.find_run("last")).answer == "done"


async def test_a_disk_that_is_full_at_opening_is_one_sentence(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(4 * 1024 * 1024 - 12_288))
    with pytest.raises(StoreError, match=r"free some space"):
        await open_store(small_disk / "runs.db")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_a_lock_that_passes_is_waited_for(database: Path) -> None:
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        with locked(database):
            writing = asyncio.create_task(journal.append(note("patient")))
            assert await store.events(journal.run_id) == []  # reading does not wait
            await asyncio.sleep(0.2)
            assert not writing.done()
        await writing


async def test_a_lock_that_stays_is_one_sentence(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_BUSY_SECONDS", 0.3)
    async with open_store(database) as store:
        journals = [await store.create_run("crew", "r") for _ in range(20)]
        assert isinstance(store.database, SqliteDatabase)
        tries: list[str] = []
        store.database._writer._connection.set_trace_callback(tries.append)
        with locked(database):
            outcomes = await asyncio.gather(*(j.append(note("a")) for j in journals), return_exceptions=True)
        assert {str(outcome) for outcome in outcomes} == {
            f"The database {database} cannot be used (database is locked): "
            "another program holds it; close that one and try again."
        }
        assert len(tries) <= 3  # they waited together, not one after the other
        for journal in journals:
            await journal.aclose()
            async with await store.open_run(journal.run_id) as resumed:
                await resumed.append(note("b"))
            assert [event.kind for event in await store.events(journal.run_id)] == ["run_resumed", "noted"]


async def test_runs_together_do_not_outrun_a_disk_that_stands_still(database: Path) -> None:
    """Each of them wants to go 100 steps further, and all stop soon after the disk did."""
    effects = 0
    still = asyncio.Event()

    async def effect() -> None:
        nonlocal effects
        effects += 1
        still.clear()

    async def run(journal: Journal) -> None:
        ctx = RunContext(journal)
        for number in range(100):
            await ctx.step("work", effect, inputs=number)

    async with open_store(database) as store:
        journals = [await store.create_run("crew", "r") for _ in range(200)]
        with locked(database):
            running = asyncio.gather(*map(run, journals))
            while not still.is_set():  # until a whole round of the event loop begins no effect
                still.set()
                for _ in range(10):
                    await asyncio.sleep(0)
            assert 0 < effects < 2 * CROWD
        await running
        assert effects == 200 * 100
        for journal in journals[::50]:
            assert len(await store.events(journal.run_id)) == 200


async def test_of_many_events_written_at_once_one_that_is_refused_takes_no_others_along(
    database: Path,
) -> None:
    async with open_store(database) as store:
        journals = [await store.create_run("crew", "r") for _ in range(100)]
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waits = [
                asyncio.create_task(journal.append(note(str(number))))
                for number in range(6)
                for journal in journals
            ]
            await asyncio.sleep(0)
            other.execute(  # somebody else has gone on with one of them
                "INSERT INTO events SELECT number, 4, 0, 'noted', '', '', '{\"text\":\"theirs\"}', x'' FROM runs WHERE id = ?",
                (journals[40].run_id,),
            )
            other.execute("COMMIT")
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        lost = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, ClaimLost)]
        assert lost == [340, 440, 540]
        assert all(outcome is None for place, outcome in enumerate(outcomes) if place not in lost)
        for journal in journals[:40] + journals[41:]:
            said = [event.text for event in await store.events(journal.run_id) if isinstance(event, Noted)]
            assert said == [str(number) for number in range(6)]


async def test_the_log_stays_bounded_under_constant_writing(database: Path) -> None:
    """How long it gets is how long the disk takes, not how much is written."""
    log = database.with_name(database.name + "-wal")
    async with open_store(database) as store:
        journal = await store.create_run("crew", "r")
        written = longest = 0
        while written < max(50_000_000, 4 * longest) and written < 500_000_000:
            for _ in range(500):
                journal.write(note("x" * 1000))
                written += 1000
            await journal.flush()
            longest = max(longest, log.stat().st_size)
        assert database.stat().st_size > written // 2
        assert longest * 4 <= written
