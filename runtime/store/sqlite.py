"""SqliteStore: runs, events and conversations in one SQLite file.

Events are appended by the writer, below the ORM; runs and conversations are read through SQLModel.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import JsonValue

from ..errors import InvalidRequest, NotFound, StoreError
from ..events import Answer, Event, RunCancelled, RunErred, RunFinished, RunPaused, RunResumed
from ..journal import Journal
from ..questions import find_question, open_questions
from ..row import EventRow, decode
from .owner import Owner
from .record import RunRecord, ThreadMessage, ThreadRecord
from .sqlite_file import connect, is_damage, prepare, refusal, set_aside
from .writer import Lane, Statement, Writer, Written

if TYPE_CHECKING:
    from .reader import Reader

T = TypeVar("T")

_APPEND = "INSERT INTO events (run, seq, at, kind, task_id, key, body, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BLOB = "INSERT INTO blobs (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
_BLOB_REF = "INSERT INTO blob_refs (run, digest) VALUES (?, ?) ON CONFLICT DO NOTHING"
_CREATE = (
    "INSERT INTO runs (id, crew, crew_path, request, status, created, thread_id, answer, error, tokens, "
    "model, options, owner, tenant, parent, tool_calls, money, seconds) "
    "VALUES (?, ?, ?, ?, 'running', ?, ?, '', '', 0, ?, ?, ?, ?, ?, 0, 0, 0)"
)
_CLAIM = "UPDATE runs SET owner = ? WHERE number = ? AND owner IS ?"
_RELEASE = "UPDATE runs SET owner = NULL WHERE number = ? AND owner = ?"
_END = (
    "UPDATE runs SET status = ?, finished = ?, answer = ?, error = ?, tokens = ?, tool_calls = ?, money = ?, "
    "seconds = ?, head = ?, owner = NULL WHERE number = ?"
)
_GO_ON = "UPDATE runs SET status = 'running', finished = NULL, error = '', head = NULL WHERE number = ?"
_THREAD = "INSERT INTO threads (id, created, title) VALUES (?, ?, ?)"
_MESSAGE = "INSERT INTO messages (thread_id, role, content, at, run_id) VALUES (?, ?, ?, ?, ?)"
_ANSWER = "INSERT INTO answers (run, key, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ATTEMPTS = 16
_ROWS = "SELECT seq, at, kind, task_id, key, body, link FROM events WHERE run = ? ORDER BY seq"


class SqliteStore:
    """The embedded store. Make it with `open`, or with `open_store`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._inode = path.stat().st_ino
        self._owner = Owner(path)
        self._writer = Writer(connection, bulk=_APPEND)
        self._cached_reader: Reader | None = None
        self._reader_lock = threading.Lock()

    @classmethod
    async def open(cls, path: str | os.PathLike[str], *, synchronous: str = "NORMAL") -> Self:
        """Open the database, made if it is not there. Raises `StoreError` and `StoreCorrupt`."""

        def prepared() -> tuple[Path, sqlite3.Connection]:
            where = Path(path).absolute()
            return where, prepare(where, synchronous=synchronous)

        return cls(*await asyncio.to_thread(prepared))

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
    ) -> Journal:
        """Begin a run, claimed by this process, with an id of its own (or `run_id`)."""
        self._hold()
        now = time.time()
        kept = json.dumps(dict(options or {}))
        owner = self._owner.id if claim else None
        rest = (crew, crew_path, request, now, thread_id, model, kept, owner, tenant, parent)
        if run_id is None:
            run_id, number = await self._insert("r", now, _CREATE, rest)
        else:
            number = (await self._write(Statement(_CREATE, (run_id, *rest)))).row_id
        record = RunRecord(
            id=run_id,
            crew=crew,
            crew_path=crew_path,
            request=request,
            status="running",
            created=now,
            thread_id=thread_id,
            model=model,
            options=dict(options or {}),
            tenant=tenant,
            parent=parent,
        )
        return self._journal(number, record, ())

    async def open_run(self, run_id: str) -> Journal:
        """Claim a run to carry it on. Raises `NotFound`, and `StoreError` when it is being carried out."""
        record = await self.find_run(run_id)
        self._hold()
        number, owner = await self._blocking(lambda: self._number_and_owner(record.id))
        if await asyncio.to_thread(self._owner.alive, owner):
            raise self._taken(record.id, owner)
        if (await self._write(Statement(_CLAIM, (self._owner.id, number, owner)))).changed == 0:
            raise self._taken(record.id, None)
        rows = await self._blocking(lambda: self._rows(number))
        journal = self._journal(number, record, rows)
        await journal.append(RunResumed(at=time.time(), finished_steps=journal.finished_steps))
        return journal

    async def read_run(self, run_id: str) -> Journal:
        """The journal of a run to read only; claims nothing. Raises `NotFound`."""
        record = await self.find_run(run_id)
        rows = await self._blocking(lambda: self._rows(self._number(record.id)))
        return Journal(record.id, rows, record=record, read_only=True)

    async def find_run(self, which: str) -> RunRecord:
        """The run with this id, this unique beginning of an id, or the ``last`` one. Raises `NotFound`."""
        return await self._blocking(lambda: self._reader().run(which))

    async def list_runs(self, limit: int = 20) -> list[RunRecord]:
        """Runs, the newest first."""
        return await self._blocking(lambda: self._reader().runs(limit))

    async def events(self, run_id: str) -> list[Event]:
        """All journalled events of a run, in order. Raises `NotFound`."""
        record = await self.find_run(run_id)
        return await self._blocking(lambda: [decode(row) for row in self._rows(self._number(record.id))])

    async def answer(self, which: str, key: str, answer: Answer) -> None:
        """Leave a person's answer to the question `key` of a run."""
        record = await self.find_run(which)
        events = await self.events(record.id)
        question = find_question(open_questions(events, running=record.status == "running"), key, record.id)
        question.check(answer)
        number = await self._blocking(lambda: self._number(record.id))
        values = (number, question.key, time.time(), answer.model_dump_json())
        if (await self._write(Statement(_ANSWER, values))).changed == 0:
            raise InvalidRequest(f"Question {question.key} of run {record.id} has been answered already.")

    async def fork_run(
        self,
        origin: str,
        events: Sequence[Event],
        *,
        model: str | None = None,
        request: str | None = None,
        options: Mapping[str, JsonValue] | None = None,
    ) -> RunRecord:
        """A new run that begins with these events."""
        old = await self.find_run(origin)
        journal = await self.create_run(
            old.crew,
            old.request if request is None else request,
            crew_path=old.crew_path,
            model=old.model if model is None else model,
            options=old.options if options is None else options,
            thread_id=old.thread_id,
            tenant=old.tenant,
        )
        for event in events:
            journal.write(event)
        await journal.flush()
        await journal.aclose()
        await self._write(Statement("UPDATE runs SET forked_from = ? WHERE id = ?", (old.id, journal.run_id)))
        return await self.find_run(journal.run_id)

    async def rows(self, which: str) -> list[EventRow]:
        """The rows of a run alone, in order."""
        record = await self.find_run(which)
        return list(await self._blocking(lambda: self._rows(self._number(record.id))))

    async def create_thread(self, title: str = "") -> ThreadRecord:
        """Begin a conversation."""
        now = time.time()
        thread_id, _ = await self._insert("t", now, _THREAD, (now, title))
        return ThreadRecord(thread_id, now, title)

    async def thread(self, thread_id: str) -> ThreadRecord:
        """A conversation. Raises `NotFound`."""
        return await self._blocking(lambda: self._reader().thread(thread_id))

    async def list_threads(self, limit: int = 20) -> list[ThreadRecord]:
        """Conversations, the newest first."""
        return await self._blocking(lambda: self._reader().threads(limit))

    async def add_message(self, thread_id: str, role: str, content: str, run_id: str | None = None) -> None:
        """Add a message to a conversation. Raises `NotFound`."""
        await self.thread(thread_id)
        await self._write(Statement(_MESSAGE, (thread_id, role, content, time.time(), run_id)))

    async def messages(self, thread_id: str) -> list[ThreadMessage]:
        """The messages of a conversation, in order. Raises `NotFound`."""
        return await self._blocking(lambda: self._reader().messages(thread_id))

    async def aclose(self) -> None:
        """Write what is left, give back all claims, close the database."""
        await self._writer.aclose()
        self._owner.release()
        reader, self._cached_reader = self._cached_reader, None
        if reader is not None:
            await asyncio.to_thread(reader.close)

    def _journal(self, number: int, record: RunRecord, rows: tuple[EventRow, ...]) -> Journal:
        return Journal(record.id, rows, sink=_RunSink(self, number), record=record)

    async def _insert(self, letter: str, now: float, sql: str, rest: tuple[object, ...]) -> tuple[str, int]:
        """Insert a row under a new id; returns that id and the row's number."""
        for _ in range(_ATTEMPTS):
            new_id = f"{letter}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"
            try:
                return new_id, (await self._writer.write(Statement(sql, (new_id, *rest)))).row_id
            except sqlite3.IntegrityError:  # another one of this very second has it
                continue
            except sqlite3.Error as error:
                raise self._failure(error) from None
        raise StoreError(f"No free id could be found in {self.path}: try again in a second.")

    async def _write(self, *statements: Statement) -> Written:
        try:
            return await self._writer.write(*statements)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    async def _blocking(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: sqlite3.Error) -> StoreError:
        if is_damage(error):
            return set_aside(self.path, inode=self._inode)
        return refusal(self.path, error)

    def _hold(self) -> None:
        try:
            self._owner.take()
        except OSError as error:
            raise refusal(self.path, error) from None

    def _taken(self, run_id: str, owner: str | None) -> StoreError:
        by = "this process" if owner == self._owner.id else "another process"
        return StoreError(f"Run {run_id} is being carried out by {by}: wait for it to end, or stop it first.")

    def _reader(self) -> Reader:
        from .reader import Reader

        with self._reader_lock:
            if self._cached_reader is None:
                self._cached_reader = Reader(self.path, self._owner)
            return self._cached_reader

    def _number(self, run_id: str) -> int:
        return self._number_and_owner(run_id)[0]

    def _number_and_owner(self, run_id: str) -> tuple[int, str | None]:
        connection = connect(self.path, read_only=True)
        try:
            found = connection.execute("SELECT number, owner FROM runs WHERE id = ?", (run_id,)).fetchone()
        finally:
            connection.close()
        if found is None:
            raise NotFound(f"There is no run {run_id!r} in {self.path}.")
        return int(found[0]), found[1]

    def _answers(self, number: int) -> list[tuple[str, Answer]]:
        connection = connect(self.path, read_only=True)
        try:
            found = connection.execute("SELECT key, body FROM answers WHERE run = ? ORDER BY at", (number,))
            return [(key, Answer.model_validate_json(body)) for key, body in found]
        finally:
            connection.close()

    def _rows(self, number: int) -> tuple[EventRow, ...]:
        connection = connect(self.path, read_only=True)
        try:
            return tuple(EventRow(*line) for line in connection.execute(_ROWS, (number,)))
        finally:
            connection.close()


class _RunSink:
    """The way from one run's journal into the database."""

    __slots__ = ("_lane", "_number", "_store")

    def __init__(self, store: SqliteStore, number: int) -> None:
        self._store = store
        self._number = number
        self._lane = Lane()

    def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Awaitable[None] | None:
        number = self._number
        statements = [Statement(_APPEND, (number, *row[:7]))]
        for part in row.large:
            statements.append(Statement(_BLOB, (part.digest, part.text)))
            statements.append(Statement(_BLOB_REF, (number, part.digest)))
        if (change := _change(number, journal, row, event)) is not None:
            statements.append(change)
        if not wait:
            self._store._writer.put(tuple(statements), self._lane)
            return None
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._store._writer.put(tuple(statements), self._lane, done)
        return self._safe(done)

    async def flush(self) -> None:
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._store._writer.put((), self._lane, done)
        await self._safe(done)

    async def answers(self) -> list[tuple[str, Answer]]:
        return await self._store._blocking(lambda: self._store._answers(self._number))

    async def release(self) -> None:
        if not self._store._writer.closed:  # closing the store has given back all claims
            await self._store._write(Statement(_RELEASE, (self._number, self._store._owner.id)))

    async def _safe(self, done: asyncio.Future[Written]) -> None:
        try:
            await done
        except sqlite3.Error as error:
            raise self._store._failure(error) from None


def _change(number: int, journal: Journal, row: EventRow, event: Event) -> Statement | None:
    """How an event changes its run's line in the table; written in the same transaction."""
    match event:
        case RunFinished():
            end: tuple[object, ...] = ("finished", row.at, event.answer, "")
        case RunErred():
            end = ("failed", row.at, "", event.error)
        case RunCancelled():
            end = ("cancelled", row.at, "", "")
        case RunPaused():
            end = ("waiting", None, "", "")
        case RunResumed():
            return Statement(_GO_ON, (number,))
        case _:
            return None
    spent = journal.spent
    tokens = spent.tokens or getattr(event, "tokens", 0)
    return Statement(_END, (*end, tokens, spent.tool_calls, spent.money, journal.worked, row.link, number))
