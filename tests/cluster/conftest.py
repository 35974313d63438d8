"""Shared by the cluster tests: real worker processes on a real PostgreSQL, and the world they have effects on."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.graph import Task
from crewgraph.runtime.store import Store, open_store

from ..postgres import database_of, execute

if importlib.util.find_spec("dbos") is None:
    collect_ignore_glob = ["test_*.py"]  # the extra `cluster` is not installed

CHILD = Path(__file__).with_name("child.py")
JOBS = str(Path(__file__).with_name("jobs.py"))


class Worker:
    """One worker process. `name` is how it calls itself."""

    def __init__(
        self, url: str, *queues: str, within: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [*within, sys.executable, str(CHILD), url, *queues],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.name = ""

    def ready(self) -> Worker:
        """Wait until it takes work."""
        said = self.line()
        assert said.startswith("ready "), f"the worker did not start: {said!r}"
        self.name = said.split()[1]
        return self

    def line(self) -> str:
        """The next line that it prints; empty at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """As a crash would: nothing is cleaned up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Effects:
    """The world outside: what happens twice stands in it twice."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE effects (what text, key text, pid int)")

    def rows(self) -> list[tuple[str, str, int]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db:
            return db.execute("SELECT what, key, pid FROM effects ORDER BY rowid").fetchall()

    def count(self, what: str) -> int:
        return sum(row[0] == what for row in self.rows())

    async def until(self, what: str, times: int = 1) -> None:
        """Wait until this has happened so often."""
        while self.count(what) < times:  # noqa: ASYNC110 - other processes write it
            await asyncio.sleep(0.02)


class World:
    """One cluster from the outside: whoever submits runs to it, and looks what came of them."""

    def __init__(self, url: str, store: Store, cluster: Any, effects: Effects) -> None:
        self.url = url
        self.store = store
        self.cluster = cluster
        self.effects = effects

    async def submit(self, tasks: Sequence[Task], **spec: Any) -> str:
        """Begin a run of these tasks; its id."""
        journal = await self.store.create_run("test", "count", claim=False)
        await journal.aclose()
        await self.go_on(journal.run_id, tasks, **spec)
        return journal.run_id

    async def go_on(self, run_id: str, tasks: Sequence[Task], **spec: Any) -> None:
        """Let the cluster go on with a run."""
        whole = {
            "tasks": [task.model_dump(mode="json") for task in tasks],
            "effects": self.effects.path,
            **spec,
        }
        await self.cluster.submit(run_id, f"{JOBS}:conduct", whole)

    async def end(self, run_id: str) -> Any:
        """How a run ended."""
        async with asyncio.timeout(60):
            return await self.cluster.ending(run_id)

    async def answer(self, run_id: str) -> str:
        """The answer of a run that must have one."""
        ending = await self.end(run_id)
        assert ending.code == "", ending.error
        record = await self.store.find_run(run_id)
        assert record.status == "finished"
        return record.answer

    async def sql(self, asked: str, *parameters: object) -> list[Any]:
        import asyncpg

        connection = await asyncpg.connect(self.url)
        try:
            found: list[Any] = await connection.fetch(asked, *parameters)
            return found
        finally:
            await connection.close()

    async def held(self, worker: Worker) -> int:
        """How many workflows a worker has begun and not finished."""
        [row] = await self.sql(
            "SELECT count(*) FROM crewgraph_dbos.workflow_status WHERE executor_id = $1 AND status = 'PENDING'",
            worker.name,
        )
        return int(row[0])


def fan(seconds: float = 0.0) -> list[Task]:
    """Ten tasks, one before and one after eight side by side: the answer is 17."""
    args = {"seconds": seconds}
    middle = [Task(id=f"t{n}", description="once", args=args, depends_on=("t0",)) for n in range(1, 9)]
    last = Task(id="t9", description="once", args=args, depends_on=tuple(task.id for task in middle))
    return [Task(id="t0", description="once", args=args), *middle, last]


@asynccontextmanager
async def world_on(url: str, folder: Path, **opening: Any) -> AsyncIterator[World]:
    from crewgraph.runtime.cluster.cluster import Cluster

    async with open_store(url, **opening) as store, Cluster.open(url, store) as cluster:
        yield World(url, store, cluster, Effects(folder / "effects.db"))


@pytest.fixture
async def world(postgres_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A cluster of its own, without workers yet."""
    async with world_on(postgres_url, tmp_path) as made:
        yield made


class Hire:
    """Starts worker processes, several at a time, and waits until they take work."""

    def __init__(self) -> None:
        self.hired: list[Worker] = []

    def __call__(self, url: str, *queues: str, count: int = 1, **more: Any) -> list[Worker]:
        new = [Worker(url, *queues, **more) for _ in range(count)]
        self.hired.extend(new)
        return [worker.ready() for worker in new]


@pytest.fixture
def hire() -> Iterator[Hire]:
    """All that were hired are gone in the end."""
    hire = Hire()
    yield hire
    for worker in hire.hired:
        worker.end()


@pytest.fixture(scope="module")
def busy_url(postgres_server: str) -> Iterator[str]:
    """A database with two workers, for all tests of a module that do them no harm."""
    name = f"test_{secrets.token_hex(6)}"
    execute(postgres_server, f"CREATE DATABASE {name}")
    url = database_of(postgres_server, name)
    workers = [Worker(url, "runs", "tasks", "narrow=1") for _ in range(2)]
    try:
        for worker in workers:
            worker.ready()
        yield url
    finally:
        for worker in workers:
            worker.end()
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def busy(busy_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A cluster with two workers that is shared with other tests."""
    async with world_on(busy_url, tmp_path) as made:
        yield made
