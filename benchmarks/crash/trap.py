"""Trap: a process kills itself with SIGKILL when it crosses a chosen boundary for the k-th time.

Boundaries are crossings of the journal (``before``, ``put``, ``safe`` and the kind of event), of effects (``effect
begins``, ``effect within``, ``effect over``), of the database (``statement`` of SQLite, ``packet`` and ``sent`` of
PostgreSQL) and a few more. Installing it changes classes of this process, which is a forked one and ends soon.
"""

from __future__ import annotations

import asyncio.selector_events
import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from crash.world import World
from crewgraph.runtime.events import Event
from crewgraph.runtime.journalling.journal import Journal


class Trap:
    """Counts crossings, and dies at number `at` of those called `where`, counted from 1."""

    def __init__(self, where: str = "", at: int = 0) -> None:
        self.crossed: Counter[str] = Counter()
        self.on: dict[str, Callable[[], None]] = {}
        """What else is to be done at a boundary."""
        self._where = where
        self._at = at
        self._lock = threading.Lock()

    def cross(self, name: str) -> None:
        """One crossing, in whichever thread."""
        with self._lock:
            self.crossed[name] += 1
            if name == self._where and self.crossed[name] == self._at:
                os.kill(os.getpid(), signal.SIGKILL)
        if name in self.on:
            self.on[name]()

    def install(self, world: World, database: str) -> None:
        """Watch the journal and the database of this process. What was safe is left in the world as ``told``."""
        self._watch_journal(world)
        if "://" in database:
            self._watch_sockets()
        else:
            self._watch_sqlite(database)

    def save(self, path: Path) -> None:
        """Leave what was counted."""
        path.write_text(json.dumps(self.crossed))

    def _watch_journal(self, world: World) -> None:
        write, cross = Journal.write, self.cross

        def watched(journal: Journal, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
            cross(f"before {event.kind}")
            safe = write(journal, event, wait=wait)
            cross(f"put {event.kind}")
            if safe is None:
                return None
            # The link chains all that was written before: whoever is told that this is safe, is told it of all.
            seq, link = journal._seq, journal._link.hex()

            async def told() -> None:
                await safe
                cross(f"safe {event.kind}")
                world.leave("told", seq, link)

            return told()

        replace(Journal, "write", watched)

    def _watch_sqlite(self, database: str) -> None:
        connect, cross = sqlite3.connect, self.cross

        def watched(path: Any, *args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(path, *args, **options)
            if str(path) == database:
                connection.set_trace_callback(lambda _: cross("statement"))
            return connection

        replace(sqlite3, "connect", watched)

    def _watch_sockets(self) -> None:
        # The one place that all packets to PostgreSQL pass; asyncio has no public name for it.
        transport: Any = vars(asyncio.selector_events)["_SelectorSocketTransport"]
        for name in ("write", "writelines"):
            replace(transport, name, self._sending(getattr(transport, name)))

    def _sending(self, send: Any) -> Any:
        def watched(transport: Any, data: Any) -> None:
            self.cross("packet")
            send(transport, data)
            self.cross("sent")

        return watched


def replace(owner: Any, name: str, new: Any) -> None:
    """Put another function in the place of one, in this process and those it forks."""
    setattr(owner, name, new)
