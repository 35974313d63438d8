"""World: what lies outside a run: a database and a file that keep its effects, and what its sittings leave behind.

Nothing here is crewgraph's. An effect is one row, or one line, with the idempotency key that it was given; nothing
stops a second one with the same key, so that a doubled effect shows. Only the other side of `idempotent` calls
knows a key again. What sittings leave behind (`begun`, `told`, `cleared`) are lines written with one system call,
which a killed process cannot leave half done.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_TABLES = (
    "CREATE TABLE effects (key TEXT, name TEXT, amount INTEGER)",
    "CREATE TABLE charges (key TEXT PRIMARY KEY, name TEXT, amount INTEGER)",
    "CREATE TABLE tries (what TEXT PRIMARY KEY, times INTEGER)",
)


class Done(NamedTuple):
    """One effect that has taken place: where, under which key, called what, of how much."""

    place: str
    key: str
    name: str
    amount: int


class World:
    """One run's world, in a folder. Connections are made anew in each process, and closed by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._held: sqlite3.Connection | None = None

    def make(self) -> None:
        """An empty world."""
        with self._lock, self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for table in _TABLES:
                connection.execute(table)

    def insert(self, key: str, name: str, amount: int, between: Callable[[], None]) -> None:
        """An effect in the database. `between` is called after the row is written and before it is committed."""
        with self._lock, self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO effects VALUES (?, ?, ?)", (key, name, amount))
            between()
            connection.execute("COMMIT")

    def append(self, key: str, name: str, amount: int, between: Callable[[], None]) -> None:
        """An effect in the file. `between` is called when half of the line is written: a torn line is no effect."""
        line = f"{key} {name} {amount}"
        whole = f"{line} {zlib.crc32(line.encode())}\n".encode()
        file = os.open(self.folder / "effects.log", os.O_CREAT | os.O_APPEND | os.O_RDWR)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                os.write(file, b"\n")  # what a killed process left half done is closed off
            os.write(file, whole[: len(whole) // 2])
            between()
            os.write(file, whole[len(whole) // 2 :])
            os.fsync(file)
        finally:
            os.close(file)

    def charge(self, key: str, name: str, amount: int, between: Callable[[], None]) -> None:
        """An effect at a service that knows a key again: the second call changes nothing."""
        with self._lock, self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "INSERT INTO charges VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (key, name, amount)
            )
            between()
            connection.execute("COMMIT")

    def times(self, what: str) -> int:
        """How often this was tried, this time included, in all sittings."""
        with self._lock, self._connected() as connection:
            counted = (
                "INSERT INTO tries VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
            )
            return int(connection.execute(counted, (what,)).fetchone()[0])

    def find(self, key: str) -> Done | None:
        """The effect with this key, if it has taken place."""
        return next((done for done in self.effects() if done.key == key), None)

    def effects(self) -> list[Done]:
        """Everything that has taken place, in the database, in the file, at the service."""
        with self._lock, self._connected() as connection:
            found = [
                Done(place, *row)
                for place, table in (("database", "effects"), ("service", "charges"))
                for row in connection.execute(f"SELECT key, name, amount FROM {table}").fetchall()
            ]
        log = self.folder / "effects.log"
        for line in log.read_text().splitlines() if log.exists() else ():
            said, _, check = line.rpartition(" ")
            if check.isdigit() and int(check) == zlib.crc32(said.encode()):
                key, name, amount = said.split()
                found.append(Done("file", key, name, int(amount)))
        return found

    def leave(self, what: str, *words: object) -> None:
        """Write one line into the list `what`."""
        file = os.open(self.folder / what, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
        os.close(file)

    def left(self, what: str) -> list[list[str]]:
        """The lines of the list `what`, word by word."""
        path = self.folder / what
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        """Give back the connection."""
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        if self._held is None:
            path = self.folder / "effects.db"
            self._held = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        yield self._held
