"""Threads: the conversations of a store, with their messages, their summaries and whose turn it is to speak."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import JsonValue

from ...errors import NotFound
from ..record import RunRecord, ThreadMessage, ThreadRecord, ThreadSummary
from ..seal import Seal
from ..sink import plain
from ..sql.database import Database, Refused, Statement, write
from ..sql.statements import (
    LAST_NUMBER,
    LAST_SUMMARY,
    MESSAGE,
    MESSAGES,
    ONE_SUMMARY,
    SUMMARY,
    THREAD,
    TOUCH_THREAD,
)
from .references import filled, refers, wanted
from .turns import Turns

GONE = tuple(f"DELETE FROM {table} WHERE thread_id = ?" for table in ("messages", "summaries"))
"""What takes away all that is kept of a conversation beside its runs and itself."""


class Threads:
    """The conversations of one database."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._turns = Turns(database)

    def turn(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Alone in this conversation: see `Turns`."""
        return self._turns.turn(thread_id)

    async def create(self, thread_id: str, now: float, title: str) -> bool:
        """Begin a conversation; whether the id was free."""
        values = (thread_id, now, self._seal.close(plain(title)))
        return (await write(self._database, Statement(THREAD, values))).changed > 0

    async def find(self, thread_id: str) -> ThreadRecord:
        """A conversation. Raises `NotFound`."""
        from ..sql import selects

        found = await self._database.select(selects.thread(thread_id))
        if not found:
            raise self._none(thread_id)
        return self._record(found[0])

    async def has(self, thread_id: str) -> bool:
        """Whether there is such a conversation."""
        from ..sql import selects

        return bool(await self._database.select(selects.thread(thread_id)))

    async def newest(self, limit: int) -> list[ThreadRecord]:
        """Conversations, the newest first."""
        from ..sql import selects

        return [self._record(found) for found in await self._database.select(selects.threads(limit))]

    async def add(self, thread_id: str, messages: Sequence[tuple[str, str]], run_id: str | None) -> None:
        """Add messages, all of them or none. Raises `NotFound`."""
        now = time.time()
        rows = [
            Statement(MESSAGE, (thread_id, plain(role), self._seal.close(plain(content)), now, run_id))
            for role, content in messages
        ]
        try:
            await write(self._database, Statement(TOUCH_THREAD, (thread_id,), guard=True), *rows)
        except Refused:
            raise self._none(thread_id) from None

    async def messages(self, thread_id: str, since: int = 0) -> list[ThreadMessage]:
        """The messages numbered `since` and later, in order. Raises `NotFound`: there is no such conversation."""
        found = await self._read(thread_id, since, LAST_NUMBER)
        if found is None:
            raise self._none(thread_id)
        return found

    async def add_summary(
        self, thread_id: str, upto: int, content: str, state: JsonValue, run_id: str | None
    ) -> ThreadSummary:
        """Keep a summary. Raises `NotFound`."""
        now, content = time.time(), plain(content)
        closed = (self._seal.close(content), self._seal.close(plain(json.dumps(state, ensure_ascii=False))))
        row = Statement(SUMMARY, (thread_id, upto, *closed, now, run_id))
        try:
            made = await write(self._database, Statement(TOUCH_THREAD, (thread_id,), guard=True), row)
        except Refused:
            raise self._none(thread_id) from None
        return ThreadSummary(thread_id, int(made.value), upto, content, state, now, run_id)

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The newest summary, where there is one."""
        found = await self._database.fetch(LAST_SUMMARY, (thread_id,))
        return self._summary(thread_id, found[0]) if found else None

    async def whole(self, record: RunRecord) -> RunRecord:
        """The run's record with the messages that its history stands for. Raises `StoreError`: they are gone."""
        if record.thread_id is None or not refers(record.options):
            return record
        thread_id = record.thread_id
        singles, ranges, numbers = wanted(record.options)
        read = [self._read(thread_id, first, last) for first, last in ranges]
        read += [self._read(thread_id, number, number) for number in singles]
        messages = {one.number: one for found in await asyncio.gather(*read) for one in found or ()}
        summaries = {
            number: self._summary(thread_id, row)
            for number in numbers
            for row in await self._database.fetch(ONE_SUMMARY, (thread_id, number))
        }
        return dataclasses.replace(record, options=filled(record.options, messages, summaries))

    async def _read(self, thread_id: str, first: int, last: int) -> list[ThreadMessage] | None:
        """None where there is no such conversation."""
        found = await self._database.fetch(MESSAGES, (first, last, thread_id))
        if not found:
            return None
        return [
            ThreadMessage(thread_id, role, self._seal.open(content), at, run_id, number)
            for role, content, at, run_id, number in found
            if number is not None
        ]

    def _record(self, found: tuple[object, ...]) -> ThreadRecord:
        thread_id, created, title = found
        return ThreadRecord(str(thread_id), float(str(created)), self._seal.open(str(title)))

    def _summary(self, thread_id: str, found: tuple[object, ...]) -> ThreadSummary:
        number, upto, content, state, at, run_id = found
        return ThreadSummary(
            thread_id,
            int(str(number)),
            int(str(upto)),
            self._seal.open(str(content)),
            json.loads(self._seal.open(str(state))),
            float(str(at)),
            None if run_id is None else str(run_id),
        )

    def _none(self, thread_id: str) -> NotFound:
        return NotFound(
            f"There is no thread {thread_id!r} in {self._database.name}: list the threads to see their ids."
        )
