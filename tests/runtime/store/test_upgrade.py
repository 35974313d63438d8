"""Databases of every released version are brought up to date with all that is in them, and newer ones left alone."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from crewgraph.runtime.context import Cost, RunContext
from crewgraph.runtime.errors import StoreError
from crewgraph.runtime.events import Noted, PlanMade, RunFinished
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.sql import migrations
from crewgraph.runtime.store.sql.schema import SCHEMA_VERSION
from crewgraph.runtime.store.sql.tables import metadata
from crewgraph.runtime.store.store import SqlStore

from ...postgres import execute as execute_sql
from .released.make import GRAPH

MIGRATIONS = Path(migrations.__file__).parent / "versions"
RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"))
OUTDATED = [
    path
    for path in RELEASED
    if f'INSERT INTO "schema_version" VALUES({SCHEMA_VERSION});' not in path.read_text()
]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "runs.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, place: str, tmp_path: Path) -> str:
    """A database as a released version left it."""
    script = request.param.read_text()
    path = Path(place) if not place.startswith("postgres") else tmp_path / "copied.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        if place.startswith(
            "postgres"
        ):  # it was never released on PostgreSQL: the same tables and rows are put there
            asyncio.run(on_postgres(place, lambda made: copy(connection, made)))
    return place


async def on_postgres(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def made_by_migrations(connection: Connection, version: int) -> None:
    with Operations.context(MigrationContext.configure(connection)):
        for path in sorted(MIGRATIONS.glob("0*.py"))[:version]:
            import_module(f"crewgraph.runtime.store.sql.migrations.versions.{path.stem}").upgrade()


def copy(source: sqlite3.Connection, target: Connection) -> None:
    ((version,),) = source.execute("SELECT version FROM schema_version")
    made_by_migrations(target, version)
    for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        found = source.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in found.description]
        places = ", ".join(f":{name}" for name in names)
        columns = ", ".join(names)
        for row in found:
            values = dict(zip(names, row, strict=True))
            target.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)
        if "number" in names:
            target.execute(text(f"SELECT setval('{table}_number_seq', (SELECT max(number) FROM {table}))"))


async def run_called(store: SqlStore, request: str) -> str:
    return next(record.id for record in await store.list_runs() if record.request == request)


async def test_everything_in_it_is_kept(old: str) -> None:
    async with open_store(old) as store:
        told = {record.request: record for record in await store.list_runs()}
        assert {name: record.status for name, record in told.items()} == {
            "finished run": "finished",
            "failed run": "failed",
            "cancelled run": "cancelled",
            "run without events": "interrupted",
            "interrupted run": "interrupted",
        }
        finished = told["finished run"]
        assert (finished.answer, finished.tokens, finished.tool_calls) == ("25684", 24, 12)
        assert finished.seconds > 0
        assert (finished.options, finished.crew_path, finished.model) == ({"limit": 2}, "/crews/sum.py", "m")
        assert "it broke: 坏了" in told["failed run"].error
        events = await store.events(finished.id)
        assert [type(event) for event in (events[1], events[2], events[-1])] == [PlanMade, Noted, RunFinished]
        assert isinstance(events[2], Noted)
        assert events[2].text == "Noted: 中文, 'quotes', \\ and 🙂"
        assert events[-2].output == "x" * 66_000  # type: ignore[union-attr]
        (thread,) = await store.list_threads()
        assert thread.title == "计划"
        assert [message.role for message in await store.messages(thread.id)] == ["user", "assistant"]
        assert finished.thread_id == thread.id


@pytest.mark.parametrize(
    ("request_", "left"), [("interrupted run", 6), ("failed run", 6), ("run without events", 12)]
)
async def test_a_run_that_was_broken_off_goes_on_where_it_was(old: str, request_: str, left: int) -> None:
    done = 0

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        total = 0
        for number in task.args.values():
            for step in ("first", "second"):

                async def effect(number: Any = number) -> int:
                    nonlocal done
                    done += 1
                    return int(number) * 10 + 1

                total += await ctx.step(
                    step, effect, inputs={"n": number}, effect="idempotent", cost=lambda _: Cost(tokens=2)
                )
        return TaskResult(value=total)

    async with open_store(old) as store:
        run_id = await run_called(store, request_)
        async with await store.open_run(run_id) as journal:
            results = await execute(GRAPH, worker, RunContext(journal), limit=2)
            await journal.append(RunFinished(at=1.0, answer=str(results["e"].value)))
        assert done == left
        assert (await store.find_run(run_id)).answer == "25684"


async def test_a_finished_run_replays(old: str) -> None:
    async with open_store(old) as store:
        journal = await store.read_run(await run_called(store, "finished run"))

        async def never() -> int:
            raise AssertionError("a replay calls nothing")

        async def worker(task: Task, ctx: RunContext) -> TaskResult:
            total = 0
            for number in task.args.values():
                for step in ("first", "second"):
                    total += await ctx.step(step, never, inputs={"n": number}, effect="idempotent")
            return TaskResult(value=total, text=f"{task.id} is {total}")

        results = await execute(GRAPH, worker, RunContext(journal), limit=2)
        assert results["e"].text == "e is 25684"


async def test_its_old_events_are_chained_now(old: str) -> None:
    async with open_store(old) as store:
        run_id = await run_called(store, "finished run")
        assert all(row.link for row in await store.rows(run_id))
        from crewgraph.runtime.store.sql.database import Statement, write

        await write(store.database, Statement("UPDATE events SET at = at + 1 WHERE seq = 14"))
        with pytest.raises(StoreError, match=r"event 14 .* is not what was written"):
            await store.events(run_id)


@pytest.mark.parametrize("old", OUTDATED, indirect=True, ids=lambda path: path.stem)
async def test_an_upgrade_that_breaks_off_leaves_the_old_database(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the lights went out")

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "create_index", broken)  # the last thing that each upgrade does
        with pytest.raises(RuntimeError, match="lights"):
            await open_store(old)
    async with open_store(old) as store:
        assert len(await store.list_runs()) == 5


async def test_what_another_process_carries_out_is_not_changed_under_it(old: str) -> None:
    async with open_store(old) as store:
        await store.create_run("crew", "r")
        await asyncio.to_thread(set_version, old, 1)
        with pytest.raises(
            StoreError, match="has to be brought up to date while nobody uses it: stop the other"
        ):
            await open_store(old)
        await asyncio.to_thread(set_version, old, SCHEMA_VERSION)


def set_version(place: str, version: int) -> None:
    statement = f"UPDATE schema_version SET version = {version}"
    if place.startswith("postgres"):
        execute_sql(place, statement)
        return
    with contextlib.closing(sqlite3.connect(place)) as connection, connection:
        connection.execute(statement)


async def test_a_database_of_a_newer_version_is_left_alone(place: str) -> None:
    async with open_store(place):
        pass
    await asyncio.to_thread(set_version, place, 99)
    with pytest.raises(
        StoreError, match=r"written by a newer crewgraph \(its tables are version 99, this one reads up"
    ):
        await open_store(place)


async def test_upgraded_tables_are_those_that_are_made_new(old: str) -> None:
    async with open_store(old):
        pass

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata},
        )
        return list(compare_metadata(context, metadata))

    if old.startswith("postgres"):
        assert await on_postgres(old, differences) == []
        return
    engine = create_engine(f"sqlite:///{old}")
    try:
        with engine.connect() as connection:
            assert differences(connection) == []
    finally:
        engine.dispose()


def test_the_first_migration_makes_what_the_first_release_made(tmp_path: Path) -> None:
    def tables(connection: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: [
                *connection.execute(f"PRAGMA table_info({name})"),
                *sorted((row[1], row[2]) for row in connection.execute(f"PRAGMA index_list({name})")),
            ]
            for name in names
        }

    engine = create_engine(f"sqlite:///{tmp_path}/made.db")
    with engine.begin() as connection:
        made_by_migrations(connection, 1)
    engine.dispose()
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "made.db")) as made,
        contextlib.closing(sqlite3.connect(":memory:")) as released,
    ):
        released.executescript((Path(__file__).parent / "released" / "0.1.0.sql").read_text())
        assert tables(made) == tables(released)


def test_there_is_a_database_of_each_released_version() -> None:
    changes = (Path(__file__).parents[3] / "CHANGELOG.md").read_text()
    released = {
        line.split("]")[0][4:] for line in changes.splitlines() if line.startswith("## [") and " - " in line
    }
    assert released <= {path.stem for path in RELEASED}
