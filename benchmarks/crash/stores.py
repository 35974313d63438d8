"""Stores: the databases in which the runs are kept, SQLite files and a PostgreSQL server of our own."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from crash import children, person
from crash.job import make_job
from crash.point import Place, Run
from crash.sitting import ASKS

_TESTS = Path(__file__).parents[2] / "tests"
_HELPER = _TESTS / "postgres.py"
_RELEASED = _TESTS / "runtime" / "store" / "released" / "0.1.0.sql"


class Stores:
    """The stores that are to be tried. `missing` says which of them cannot be had here."""

    def __init__(self, folder: Path, which: str) -> None:
        self.folder = folder
        self.missing = ""
        self.places: list[Place] = []
        self.server: Any = None
        self._which = which

    def __enter__(self) -> Self:
        wanted = ("sqlite", "postgres") if self._which == "both" else (self._which,)
        template = self.folder / "template.db"
        if "sqlite" in wanted:
            self._first("sqlite", str(template))
            self.places.append(Place("sqlite", lambda folder: _copy(template, folder), _new_or_old))
        if "postgres" in wanted:
            absent = [name for name in ("pgserver", "asyncpg") if importlib.util.find_spec(name) is None]
            if absent:
                self.missing = f"(PostgreSQL is left out: {' and '.join(absent)} is not installed)"
            else:
                self._start_server()
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.remove()

    @contextmanager
    def own_server(self) -> Iterator[Any]:
        """Another PostgreSQL server, which may be stopped and broken."""
        server = postgres_helper().PostgresServer()
        try:
            server.start()
            yield server
        finally:
            server.remove()

    def _start_server(self) -> None:
        self.server = postgres_helper().PostgresServer()
        self.server.start()
        shared = self._new_database(self.folder)
        self._first("postgres", shared)
        self.places.append(Place("postgres", lambda _: shared, self._new_database))

    def _first(self, name: str, database: str) -> None:
        """A first run makes the tables, and shows what a process has to import."""
        run = Run(self.folder / f"first-{name}", database, "first", make_job(0), 0)
        run.make()

        def work() -> int:
            while (code := run.sitting()()) != 0:
                run.world.close()
                if code != ASKS or person.go(database, "first", run.world, "answer", 0) != 0:
                    return code
            return run.judge_here()

        children.warm(work, run.folder)

    def _new_database(self, folder: Path) -> str:
        url = self.server.url
        name = f"crash_{folder.name.replace('-', '_')}_{folder.parent.name.replace('-', '_')}".lower()[-60:]
        return new_database(url, name, folder)


def new_database(url: str, name: str, folder: Path) -> str:
    """A new, empty database on this server (an old one of that name is dropped)."""

    async def make() -> None:
        import asyncpg

        connection = await asyncpg.connect(url)
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    def work() -> int:
        asyncio.run(make())
        return 0

    if children.run(work, folder / "said").code != 0:
        raise RuntimeError(f"No database could be made: {(folder / 'said').read_text()[-800:]}")
    made: str = postgres_helper().database_of(url, name)
    return made


def postgres_helper() -> ModuleType:
    """The server that the tests start too."""
    spec = importlib.util.spec_from_file_location("crash_postgres", _HELPER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _new_or_old(folder: Path) -> str:
    """A database that has to be made, or one of the first release that has to be brought up to date."""
    path = folder / "runs.db"
    if zlib.crc32(folder.name.encode()) % 2:
        with closing(sqlite3.connect(path)) as old:
            old.executescript(_RELEASED.read_text())
            kept = old.execute("SELECT id FROM runs WHERE number IN (SELECT run FROM events)").fetchall()
        (folder / "others").write_text("".join(f"{other}\n" for (other,) in kept))
    return str(path)


def _copy(template: Path, folder: Path) -> str:
    """A database that is in use already: its tables are there, and a run."""
    shutil.copyfile(template, folder / "runs.db")
    (folder / "others").write_text("first\n")
    return str(folder / "runs.db")
