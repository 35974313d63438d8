"""Stores keep runs, their events, and conversations. One small protocol, `Store`, stands before each of
them."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from typing import Literal, Protocol

from pydantic import JsonValue

from ..events import Event
from ..journal import Journal
from .record import RunRecord, RunStatus, ThreadMessage, ThreadRecord

__all__ = [
    "RunRecord",
    "RunStatus",
    "Store",
    "Synchronous",
    "ThreadMessage",
    "ThreadRecord",
    "open_store",
]

Synchronous = Literal["NORMAL", "FULL"]
"""What a commit survives: a killed process (NORMAL), also a power cut (FULL, several times slower)."""


class Store(Protocol):
    """Keeps runs and conversations.

    Every method raises `StoreError` when the database cannot be read or written, and `StoreCorrupt` when it
    is found damaged (it has then been set aside).
    """

    async def create_run(
        self,
        crew: str,
        request: str,
        *,
        crew_path: str = "",
        model: str = "",
        options: Mapping[str, JsonValue] | None = None,
        thread_id: str | None = None,
    ) -> Journal:
        """Begin a run, claimed by this process, with an id of its own."""
        ...

    async def open_run(self, run_id: str) -> Journal:
        """Claim a run to carry it on. Takes a whole id, a unique beginning of one, or ``last``.

        Raises:
            NotFound: there is no such run.
            StoreError: it is being carried out, by another process or by this one.
        """
        ...

    async def read_run(self, run_id: str) -> Journal:
        """The journal of a run to read only; claims nothing. Raises `NotFound`."""
        ...

    async def find_run(self, which: str) -> RunRecord:
        """The run with this id, this unique beginning of an id, or the ``last`` one. Raises `NotFound`."""
        ...

    async def list_runs(self, limit: int = 20) -> list[RunRecord]:
        """Runs, the newest first."""
        ...

    async def events(self, run_id: str) -> list[Event]:
        """All journalled events of a run, in order. Raises `NotFound`."""
        ...

    async def create_thread(self, title: str = "") -> ThreadRecord:
        """Begin a conversation."""
        ...

    async def thread(self, thread_id: str) -> ThreadRecord:
        """A conversation. Raises `NotFound`."""
        ...

    async def list_threads(self, limit: int = 20) -> list[ThreadRecord]:
        """Conversations, the newest first."""
        ...

    async def add_message(self, thread_id: str, role: str, content: str, run_id: str | None = None) -> None:
        """Add a message to a conversation. Raises `NotFound`."""
        ...

    async def messages(self, thread_id: str) -> list[ThreadMessage]:
        """The messages of a conversation, in order. Raises `NotFound`."""
        ...

    async def aclose(self) -> None:
        """Write what is left, give back all claims, close the database."""
        ...


class Opening:
    """A store being opened: await it, or use it as ``async with``, which closes it again."""

    def __init__(self, path: str | os.PathLike[str], synchronous: Synchronous) -> None:
        self._path = path
        self._synchronous: Synchronous = synchronous
        self._store: Store | None = None

    def __await__(self) -> Generator[object, None, Store]:
        return self._open().__await__()

    async def __aenter__(self) -> Store:
        self._store = await self._open()
        return self._store

    async def __aexit__(self, *_: object) -> None:
        if self._store is not None:
            await self._store.aclose()

    async def _open(self) -> Store:
        from .sqlite import SqliteStore

        return await SqliteStore.open(self._path, synchronous=self._synchronous)


def open_store(path: str | os.PathLike[str], *, synchronous: Synchronous = "NORMAL") -> Opening:
    """Open the SQLite database at `path`, made if it is not there: ``async with open_store(path) as store``.

    Raises:
        StoreError: it cannot be opened (folder not writable, not ours, written by a newer version).
        StoreCorrupt: the file was damaged; it has been renamed, and the next opening begins a new one.
    """
    return Opening(path, synchronous)
