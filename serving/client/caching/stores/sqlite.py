"""SqliteStore: replies in one file of this machine, for any number of its processes.

One thread has the only connection. What has gathered meanwhile is read at once and written in one transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from .....runtime.errors import StoreError
from ..store import CacheSize
from . import sqlite_file as file

T = TypeVar("T")

_TOUCHES = 256
"""Entries that were asked for are marked so together, this many at once."""
_FULL = 0.9
"""A store that is too full gives away so much that this share is left, so that not every reply takes another's place."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    done: asyncio.Future[Any]


class SqliteStore:
    """At most `max_bytes` of replies; those not asked for longest give way. The file is its owner's alone (0600)."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.name = str(path)
        self._path = path
        self._max_bytes = max_bytes
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._touched: dict[str, float] = {}

    @property
    def there(self) -> bool:
        """Whether the file has been made."""
        return self._path.exists()

    async def get(self, key: str) -> bytes | None:
        """The value under this key."""
        return await self._ask(lambda connection: self._get(connection, key))

    async def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep the value; what is larger than a quarter of the whole is not kept."""
        if len(value) * 4 <= self._max_bytes:
            await self._ask(lambda connection: self._put(connection, key, value, ttl_s), writes=True)

    async def delete(self, key: str) -> None:
        """Take one entry away."""
        await self._ask(
            lambda connection: connection.execute("DELETE FROM replies WHERE key = ?", (key,)).rowcount,
            writes=True,
        )

    async def clear(self) -> None:
        """Take all away; the file becomes small."""
        await self._ask(lambda connection: connection.execute("DELETE FROM replies").rowcount, writes=True)
        await self._ask(file.shrink)

    async def prune(self) -> int:
        """Take away what has expired."""
        return await self._ask(file.expire, writes=True)

    async def size(self) -> CacheSize:
        """How much is kept."""
        return await self._ask(
            lambda connection: CacheSize(*connection.execute("SELECT entries, bytes FROM total").fetchone())
        )

    async def aclose(self) -> None:
        """Write what is not yet written, and close the file."""
        with self._lock:
            first, self._closed = not self._closed, True
            thread = self._thread
        if thread is not None:
            if first:
                self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def _ask(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = False) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                raise StoreError(f"The cache {self._path} has been closed: open it again.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="crewgraph-cache", daemon=True)
                self._thread.start()
            self._queue.put(_Job(work, writes, done))
        return await done

    def _run(self) -> None:
        going = True
        while going:
            jobs: list[_Job] = []
            job = self._queue.get()
            while job is not None:
                jobs.append(job)
                if self._queue.empty():
                    break
                job = self._queue.get()
            going = job is not None
            _tell([(job, self._each(job)) for job in jobs if not job.writes])  # readers wait for no writer
            writing = [job for job in jobs if job.writes]
            if writing:
                _tell(self._together(writing))
            elif len(self._touched) >= _TOUCHES or (self._touched and not going):
                self._together([])
        if self._connection is not None:
            self._connection.close()

    def _each(self, job: _Job) -> Any:
        try:
            return job.work(self._opened())
        except Exception as error:
            return self._failure(error)

    def _together(self, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = [(job, job.work(connection)) for job in jobs]
                touched = [(when, key) for key, when in self._touched.items()]
                connection.executemany("UPDATE replies SET used = ? WHERE key = ?", touched)
                file.evict(connection, self._max_bytes, _FULL)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except Exception as error:
            failure = self._failure(error)
            return [(job, StoreError(str(failure))) for job in jobs]
        self._touched.clear()
        return found

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._inode = 0
            self._connection = file.prepare(self._path)
            self._inode = file.inode_of(self._path)
        return self._connection

    def _failure(self, error: Exception) -> StoreError:
        self._touched.clear()
        if isinstance(error, StoreError):
            return error
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        return file.failure(self._path, error, self._inode)

    def _get(self, connection: sqlite3.Connection, key: str) -> bytes | None:
        now = file.now()
        row = connection.execute("SELECT value, expires, used FROM replies WHERE key = ?", (key,)).fetchone()
        if row is None or (row[1] is not None and row[1] <= now):
            return None
        self._touched[key] = now
        return bytes(row[0])

    def _put(self, connection: sqlite3.Connection, key: str, value: bytes, ttl_s: float | None) -> None:
        now = file.now()
        self._touched.pop(key, None)
        connection.execute(file.PUT, (key, value, now, None if ttl_s is None else now + ttl_s))


def _tell(outcomes: list[tuple[_Job, Any]]) -> None:
    for loop in {job.done.get_loop() for job, _ in outcomes}:
        mine = [(job.done, outcome) for job, outcome in outcomes if job.done.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_settle, mine)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _settle(outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, outcome in outcomes:
        if done.done():
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
