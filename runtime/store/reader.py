"""Reader: runs and conversations read through SQLModel. Blocking; heavy to import."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from ..errors import NotFound
from .owner import Owner
from .record import RunRecord, RunStatus, ThreadMessage, ThreadRecord
from .sqlite_file import connect
from .tables import MessageRow, RunRow, ThreadRow

_AMBIGUOUS_SHOWN = 5


class Reader:
    """Answers questions about one database. Raises `sqlite3.Error` when it cannot be read."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path = path
        self._owner = owner
        self._engine = create_engine("sqlite://", creator=lambda: connect(path, read_only=True))

    def run(self, which: str) -> RunRecord:
        """The run with this id, this unique beginning of an id, or the ``last`` one. Raises `NotFound`."""
        with self._session() as session:
            newest = select(RunRow).order_by(col(RunRow.number).desc())
            if which == "last":
                found = session.exec(newest.limit(1)).first()
                if found is None:
                    raise NotFound(f"There is no run yet in {self._path}.")
                return self._record(found)
            found = session.exec(select(RunRow).where(RunRow.id == which)).first()
            if found is not None:
                return self._record(found)
            matching = newest.where(col(RunRow.id).startswith(which, autoescape=True)).limit(_AMBIGUOUS_SHOWN)
            rows = session.exec(matching).all() if which else []
            if len(rows) == 1:
                return self._record(rows[0])
            if rows:
                ids = ", ".join(row.id for row in rows)
                raise NotFound(f"Several runs begin with {which!r} ({ids}): type more of the id.")
            raise NotFound(f"There is no run {which!r} in {self._path}: list the runs to see their ids.")

    def runs(self, limit: int) -> list[RunRecord]:
        """Runs, the newest first."""
        with self._session() as session:
            rows = session.exec(select(RunRow).order_by(col(RunRow.number).desc()).limit(limit)).all()
            return [self._record(row) for row in rows]

    def thread(self, thread_id: str) -> ThreadRecord:
        """A conversation. Raises `NotFound`."""
        with self._session() as session:
            found = session.exec(select(ThreadRow).where(ThreadRow.id == thread_id)).first()
            if found is None:
                raise NotFound(f"There is no thread {thread_id!r} in {self._path}.")
            return ThreadRecord(found.id, found.created, found.title)

    def threads(self, limit: int) -> list[ThreadRecord]:
        """Conversations, the newest first."""
        with self._session() as session:
            rows = session.exec(select(ThreadRow).order_by(col(ThreadRow.number).desc()).limit(limit)).all()
            return [ThreadRecord(row.id, row.created, row.title) for row in rows]

    def messages(self, thread_id: str) -> list[ThreadMessage]:
        """The messages of a conversation, in order. Raises `NotFound`."""
        self.thread(thread_id)
        with self._session() as session:
            asked = (
                select(MessageRow).where(MessageRow.thread_id == thread_id).order_by(col(MessageRow.number))
            )
            return [
                ThreadMessage(row.thread_id, row.role, row.content, row.at, row.run_id)
                for row in session.exec(asked).all()
            ]

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with Session(self._engine) as session:
                yield session
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise error.orig from None
            raise

    def _record(self, row: RunRow) -> RunRecord:
        lost = row.status == "running" and not self._owner.alive(row.owner)
        return RunRecord(
            id=row.id,
            crew=row.crew,
            crew_path=row.crew_path,
            request=row.request,
            status="interrupted" if lost else cast(RunStatus, row.status),
            created=row.created,
            finished=row.finished,
            thread_id=row.thread_id,
            answer=row.answer,
            error=row.error,
            tokens=row.tokens,
            model=row.model,
            options=json.loads(row.options),
            tenant=row.tenant,
            parent=row.parent,
            forked_from=row.forked_from,
            tool_calls=row.tool_calls,
            money=row.money,
            seconds=row.seconds,
        )
