"""Checkpoints: carrying what was committed from the log into the database file, beside the writer.

SQLite's own automatic checkpoints make the one commit that meets them wait for the disk. Here a thread of its own
carries it over; only when the log has grown long under constant writing does the writer finish what is left, for
just then the log may begin again from its start.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue

from .file import connect

_EVERY = 1_000
"""Units between two checkpoints."""
_LONG = 8_000
"""Pages (of 4 KiB) of log from which on the writer itself has to finish."""


class Checkpoints:
    """The thread. `finish` has work done on the writer's own connection, between two transactions."""

    def __init__(self, path: Path, finish: Callable[[Callable[[sqlite3.Connection], None]], None]) -> None:
        self._path = path
        self._finish = finish
        self._units = 0
        self._queue: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def wrote(self, units: int) -> None:
        """So many units have been committed. Called by the writer's thread only."""
        self._units += units
        if self._units >= _EVERY:
            self._units = 0
            if self._thread is None:  # a store that writes little never needs it
                self._thread = threading.Thread(target=self._work, name="crewgraph-checkpoints", daemon=True)
                self._thread.start()
            self._queue.put(True)

    def close(self) -> None:
        """End the thread. Blocks."""
        if self._thread is not None:
            self._queue.put(False)
            self._thread.join()

    def _work(self) -> None:
        with suppress(sqlite3.Error), closing(connect(self._path)) as connection:
            while self._queue.get():
                with suppress(sqlite3.Error):  # a later one, or closing the database, carries it over
                    if _checkpoint(connection) > _LONG:
                        _checkpoint(connection)  # so that the writer finds little left
                        self._finish(_checkpoint_quietly)


def _checkpoint(connection: sqlite3.Connection) -> int:
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def _checkpoint_quietly(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        _checkpoint(connection)
