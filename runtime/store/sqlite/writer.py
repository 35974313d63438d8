"""Writer: one thread that writes to the database, and commits together whatever has gathered meanwhile.

Below the ORM on purpose: an event costs a few microseconds here and hundreds through an ORM session.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from queue import SimpleQueue
from typing import Any

from ...errors import StoreError
from ..sql.database import RETURNED, Refused, Unit, Written, settle
from ..sql.statements import APPEND, BULK

_GROUP = 4096
"""Units in one transaction at most, so that nobody waits long behind the others."""
_AT_ONCE = (256, 32)
"""Events in one statement, where there are that many. Python gives its lock away around every statement that SQLite
steps through, and beside a busy event loop gets it back only milliseconds later."""
_ONES_OWN_FAULT = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)
"""What one unit may be refused for; anything else (a full disk, a locked file) would befall its neighbours too."""


class Writer:
    """Owns the only connection that writes.

    `failure` makes the sentence for what SQLite refused. `wrote` hears how many units have been committed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        failure: Callable[[Exception], StoreError],
        wrote: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._failure = failure
        self._wrote = wrote
        self._at_hand = 0
        self._queue: SimpleQueue[Unit | Callable[[sqlite3.Connection], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="crewgraph-writer", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """How many units have been taken and not written."""
        return self._queue.qsize() + self._at_hand

    def put(self, unit: Unit) -> None:
        """Take one unit, in order, at once."""
        self._queue.put(unit)

    def between(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Have this done on the writer's connection, between two transactions."""
        self._queue.put(work)

    def drain(self) -> None:
        """Write everything that was asked for, and take nothing more. Blocks."""
        self._queue.put(None)
        self._thread.join()

    def close(self) -> None:
        """Close the connection: the last one of the process, so that SQLite carries its log over and removes it."""
        self._connection.close()

    def _work(self) -> None:
        closing = False
        while not closing:
            group: list[Unit] = []
            work = self._queue.get()
            while isinstance(work, Unit):
                group.append(work)
                self._at_hand = len(group)
                if self._queue.empty() or len(group) >= _GROUP:
                    break
                work = self._queue.get()
            if group:
                _tell(self._commit(group))
                self._at_hand = 0
                self._wrote(len(group))
            if callable(work):
                work(self._connection)
            closing = work is None

    def _commit(self, group: list[Unit]) -> list[tuple[Unit, Written | StoreError]]:
        sound = [unit for unit in group if unit.lane is None or unit.lane.failure is None]
        outcomes: list[tuple[Unit, Written | StoreError]] = [
            (unit, unit.lane.failure)
            for unit in group
            if unit.lane is not None and unit.lane.failure is not None
        ]
        if not any(unit.statements for unit in sound):  # they only wait for those before them
            return outcomes + [(unit, Written()) for unit in sound]
        try:
            return outcomes + list(zip(sound, self._transaction(sound), strict=True))
        except Exception as error:  # whatever it is, somebody waits to hear of it
            if len(sound) == 1 or (
                isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _ONES_OWN_FAULT)
            ):
                refusal = error if isinstance(error, StoreError) else self._failure(error)
                return outcomes + [(unit, _failed(unit, error, refusal)) for unit in sound]
        # One of them is at fault: each alone, so that it does not take its neighbours down.
        return outcomes + [outcome for unit in sound for outcome in self._commit([unit])]

    def _transaction(self, group: list[Unit]) -> list[Written]:
        cursor = self._connection.cursor()
        written: list[Written] = []
        gathered: list[Sequence[Any]] = []
        gathered_for = ""
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for unit in group:
                returned: Any = None
                done = Written()
                for sql, parameters, guard in unit.statements:
                    if parameters and parameters[0] is RETURNED:
                        parameters = (returned, *parameters[1:])
                    if sql in BULK:
                        if sql != gathered_for and gathered:
                            _add(cursor, gathered_for, gathered)
                            gathered = []
                        gathered_for = sql
                        gathered.append(parameters)
                        done = Written(1)
                        continue
                    if gathered:
                        _add(cursor, gathered_for, gathered)
                        gathered = []
                    cursor.execute(sql, parameters)
                    first = cursor.fetchone() if cursor.description else None
                    done = Written(
                        int(first is not None) if cursor.description else cursor.rowcount, first and first[0]
                    )
                    if cursor.description:
                        returned = done.value
                    if guard and not done.changed:
                        raise Refused("Nothing was there to change.")
                written.append(done)
            if gathered:
                _add(cursor, gathered_for, gathered)
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        return written


def _add(cursor: sqlite3.Cursor, sql: str, rows: list[Sequence[Any]]) -> None:
    begin = 0
    if sql == APPEND:
        for size in _AT_ONCE:
            while len(rows) - begin >= size:
                cursor.execute(_of_many(size), tuple(chain.from_iterable(rows[begin : begin + size])))
                begin += size
    if begin < len(rows):
        cursor.executemany(sql, rows[begin:])


@cache
def _of_many(size: int) -> str:
    values = APPEND.rpartition("VALUES ")[2]
    return APPEND + f", {values}" * (size - 1)


def _failed(unit: Unit, error: Exception, refusal: StoreError) -> StoreError:
    if unit.lane is None:
        return type(refusal)(*refusal.args)
    if isinstance(error, sqlite3.IntegrityError):  # somebody else has written the run's next event
        refusal = unit.lane.lost()
    return unit.lane.fail(type(refusal)(*refusal.args))


def _tell(outcomes: list[tuple[Unit, Written | StoreError]]) -> None:
    waited = [(unit.done, outcome) for unit, outcome in outcomes if unit.done is not None]
    for loop in {done.get_loop() for done, _ in waited}:
        mine = [(done, outcome) for done, outcome in waited if done.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(settle, mine)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue
