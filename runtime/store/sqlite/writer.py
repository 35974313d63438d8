"""Writer: one thread that writes to the database, and commits together whatever has gathered meanwhile.

Below the ORM on purpose: an event costs a few microseconds here and hundreds through an ORM session.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from ..errors import StoreError


class Statement(NamedTuple):
    """One SQL statement and its parameters."""

    sql: str
    parameters: Sequence[Any]


class Written(NamedTuple):
    """How many rows a statement changed, and the number of the row that it last inserted."""

    changed: int
    row_id: int


class Lane:
    """One run's order of writing: after a failure, everything behind it fails too."""

    __slots__ = ("failure",)

    def __init__(self) -> None:
        self.failure: Exception | None = None


class _Unit(NamedTuple):
    """Statements that are committed together, and who waits for them."""

    statements: tuple[Statement, ...]
    done: asyncio.Future[Written] | None = None
    lane: Lane | None = None


class Writer:
    """Owns the only connection that writes. `bulk` is the statement that is worth running many at a time."""

    def __init__(self, connection: sqlite3.Connection, *, bulk: str) -> None:
        self._connection = connection
        self._bulk = bulk
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self.closed = False
        """Whether it takes nothing more."""
        self._thread = threading.Thread(target=self._work, name="crewgraph-writer", daemon=True)
        self._thread.start()

    async def write(self, *statements: Statement) -> Written:
        """Write these in one transaction; returns, once committed, what the last one did.

        Cancelling the wait does not take the write back.

        Raises:
            StoreError: the writer is closed.
            sqlite3.Error: the database refused; nothing of these was written.
        """
        if self.closed:
            raise StoreError("The database is closed: this run outlived its store.")
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._queue.put(_Unit(statements, done))
        return await done

    def put(
        self, statements: tuple[Statement, ...], lane: Lane, done: asyncio.Future[Written] | None = None
    ) -> None:
        """Write these in the order of their lane, at once."""
        if self.closed:
            lane.failure = lane.failure or StoreError("The database is closed: this run outlived its store.")
            if done is not None:
                done.set_exception(lane.failure)
            return
        self._queue.put(_Unit(statements, done, lane))

    async def aclose(self) -> None:
        """Commit everything that was asked for, then close the connection."""
        if not self.closed:
            self.closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        closing = False
        while not closing:
            group: list[_Unit] = []
            unit = self._queue.get()
            while unit is not None:
                group.append(unit)
                if self._queue.empty():
                    break
                unit = self._queue.get()
            closing = unit is None
            if group:
                _tell(self._commit(group))
        self._connection.close()

    def _commit(self, group: list[_Unit]) -> list[tuple[_Unit, Written | Exception]]:
        outcomes: list[tuple[_Unit, Written | Exception]] = []
        sound: list[_Unit] = []
        for unit in group:
            if unit.lane is not None and unit.lane.failure is not None:
                outcomes.append((unit, unit.lane.failure))
            else:
                sound.append(unit)
        try:
            return outcomes + list(zip(sound, self._transaction(sound), strict=True))
        except Exception as error:
            if len(group) == 1:
                if group[0].lane is not None:
                    group[0].lane.failure = error
                return [(group[0], error)]
        # One of them is at fault: each alone, so that it does not take its neighbours down.
        return [outcome for unit in group for outcome in self._commit([unit])]

    def _transaction(self, group: list[_Unit]) -> list[Written]:
        cursor = self._connection.cursor()
        written: list[Written] = []
        gathered: list[Sequence[Any]] = []
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for unit in group:
                done = Written(0, 0)
                for sql, parameters in unit.statements:
                    if sql == self._bulk:
                        gathered.append(parameters)
                        done = Written(1, 0)
                        continue
                    if gathered:
                        cursor.executemany(self._bulk, gathered)
                        gathered = []
                    cursor.execute(sql, parameters)
                    done = Written(cursor.rowcount, cursor.lastrowid or 0)
                written.append(done)
            if gathered:
                cursor.executemany(self._bulk, gathered)
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        return written


def _tell(outcomes: list[tuple[_Unit, Written | Exception]]) -> None:
    waited = [(unit.done, outcome) for unit, outcome in outcomes if unit.done is not None]
    loops = {done.get_loop() for done, _ in waited}
    for loop in loops:
        mine = [(done, outcome) for done, outcome in waited if done.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(outcomes: list[tuple[asyncio.Future[Written], Written | Exception]]) -> None:
    for done, outcome in outcomes:
        if done.done():
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
