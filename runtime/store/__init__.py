"""Stores keep runs, their events, and conversations. One small protocol, `Store`, stands before each of
them."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import JsonValue

from ..events import Answer, Event
from ..journalling.journal import Journal
from ..journalling.row import EventRow
from ..reading.questions import Question
from .record import RunRecord, RunStatus, ThreadMessage, ThreadRecord, ThreadSummary, Usage

if TYPE_CHECKING:
    from .seal import Key
    from .store import SqlStore

__all__ = [
    "RunRecord",
    "RunStatus",
    "Store",
    "Synchronous",
    "ThreadMessage",
    "ThreadRecord",
    "ThreadSummary",
    "Usage",
    "open_store",
]

Synchronous = Literal["NORMAL", "FULL"]
"""What a commit survives. SQLite: a killed process (NORMAL), also a power cut (FULL, several times slower).

PostgreSQL: a killed process and a crash or power cut of the server (NORMAL), also the loss of that server where it has
standbys that it waits for (FULL)."""


class Store(Protocol):
    """Keeps runs and conversations.

    The history of a run of a conversation is kept as what it is made of there (see `threads.references`); a run that is
    found, opened, read or exported by itself has the messages themselves in its options, one of `list_runs` has not.

    Every method raises `StoreError` when the database cannot be read or written, and `StoreCorrupt` when it
    is found damaged (it has then been set aside). Where a method takes `which`, that is a whole run id, a unique
    beginning of one, or ``last``, and it raises `NotFound` when there is no such run.
    """

    async def create_run(
        self,
        crew: str,
        request: str,
        *,
        run_id: str | None = None,
        crew_path: str = "",
        model: str = "",
        options: Mapping[str, JsonValue] | None = None,
        thread_id: str | None = None,
        tenant: str = "",
        parent: str | None = None,
        claim: bool = True,
        heard: Sequence[Mapping[str, JsonValue]] = (),
    ) -> Journal:
        """Begin a run, claimed by this process, with an id of its own (or `run_id`).

        With ``claim=False`` nobody carries it out yet; close its journal and let another process open it. `heard` are the
        messages that the `history` of its options stands for: they are not kept again with each model call.

        Raises:
            StoreError: there is a run with this `run_id` already.
        """
        ...

    async def open_run(self, which: str) -> Journal:
        """Claim a run to carry it on.

        Raises:
            StoreError: it is being carried out, by another process or by this one.
            JournalTampered: its events are not what was written.
        """
        ...

    async def read_run(self, which: str) -> Journal:
        """The journal of a run to read only; claims nothing. Raises `JournalTampered`."""
        ...

    async def find_run(self, which: str) -> RunRecord:
        """The line of a run."""
        ...

    async def list_runs(
        self, limit: int = 20, *, status: RunStatus | None = None, tenant: str | None = None
    ) -> list[RunRecord]:
        """Runs, the newest first, without those that carry a task of another one."""
        ...

    async def events(self, which: str) -> list[Event]:
        """All journalled events of a run, in order, those of tasks carried out elsewhere among them."""
        ...

    async def rows(self, which: str) -> list[EventRow]:
        """The rows of a run alone, in order, their chain checked. Raises `JournalTampered`."""
        ...

    async def fork_run(
        self,
        origin: str,
        events: Sequence[Event],
        *,
        model: str | None = None,
        request: str | None = None,
        options: Mapping[str, JsonValue] | None = None,
    ) -> RunRecord:
        """A new run that begins with these events, in one transaction. Nobody carries it out yet: open it."""
        ...

    async def questions(self, which: str) -> list[Question]:
        """What a run waits for a person to say, and nobody has answered yet, the oldest first."""
        ...

    async def answer(self, which: str, key: str, answer: Answer) -> None:
        """Leave a person's answer to the question `key` of a run, for whoever carries it out now or later.

        Of two answers to one question the first counts.

        Raises:
            InvalidRequest: it has been answered already.
        """
        ...

    async def usage(self, tenant: str, since: float = 0.0) -> Usage:
        """What a tenant's runs, begun since then (seconds since the epoch), have used."""
        ...

    async def delete_run(self, which: str) -> None:
        """Take a run and its events away for good. Raises `StoreError` when it is being carried out."""
        ...

    async def prune(self, before: float) -> int:
        """Take away all runs that ended before then (seconds since the epoch); how many they were."""
        ...

    async def export_run(self, which: str) -> list[str]:
        """A run as lines of JSON: its record, its events, what is kept apart, runs that carried its tasks."""
        ...

    async def import_run(self, lines: Iterable[str]) -> RunRecord:
        """A run from its exported lines, checked before anything is written.

        Raises:
            InvalidRequest: the lines are not an exported run, are from a newer version, or it is here already.
            JournalTampered: its events are not what was written.
        """
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

    async def add_messages(
        self, thread_id: str, messages: Sequence[tuple[str, str]], run_id: str | None = None
    ) -> None:
        """Add messages, each a role and a content, to a conversation: all of them or none. Raises `NotFound`."""
        ...

    async def messages(self, thread_id: str, *, since: int = 0) -> list[ThreadMessage]:
        """The messages of a conversation, in order, those numbered `since` and later. Raises `NotFound`."""
        ...

    def turn(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Alone in this conversation, in all processes, for as long as it lasts; waits for whoever is.

        Who dies is in it no longer. Within it, the same conversation is entered again without waiting.
        """
        ...

    async def add_summary(
        self, thread_id: str, upto: int, content: str, state: JsonValue = None, run_id: str | None = None
    ) -> ThreadSummary:
        """Keep a summary of a conversation up to the message numbered `upto`. Raises `NotFound`."""
        ...

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The newest summary of a conversation, where there is one."""
        ...

    async def delete_thread(self, thread_id: str) -> None:
        """Take a conversation away for good, with its runs and their events. Raises `NotFound`."""
        ...

    async def aclose(self) -> None:
        """Write what is left, give back all claims, close the database."""
        ...


class Opening:
    """A store being opened: await it, or use it as ``async with``, which closes it again."""

    def __init__(self, where: str | os.PathLike[str], synchronous: Synchronous, key: Key | None) -> None:
        self._where = where
        self._synchronous: Synchronous = synchronous
        self._key = key
        self._store: SqlStore | None = None

    def __await__(self) -> Generator[object, None, SqlStore]:
        return self._open().__await__()

    async def __aenter__(self) -> SqlStore:
        self._store = await self._open()
        return self._store

    async def __aexit__(self, *_: object) -> None:
        if self._store is not None:
            await self._store.aclose()

    async def _open(self) -> SqlStore:
        from .opening import opened

        return await opened(self._where, self._synchronous, self._key)


def open_store(
    where: str | os.PathLike[str], *, synchronous: Synchronous = "NORMAL", key: Key | None = None
) -> Opening:
    """Open a database, made if it is not there: ``async with open_store(where) as store``.

    `where` is the path of an SQLite file (or ``sqlite:///path``), or ``postgresql://user@host/database``. With a
    `key` (see `seal`) what people said and what tools found is encrypted; a database is made with one, or without.
    Of several keys the first encrypts, and all of them decrypt.

    Raises:
        StoreError: it cannot be opened (no way in, not ours, written by a newer version, the wrong key or none).
        StoreCorrupt: the file was damaged; it has been renamed, and the next opening begins a new one.
        InvalidInput: `where` is no database, or `key` is no key.
    """
    return Opening(where, synchronous, key)
