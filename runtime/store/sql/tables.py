"""The tables, declared in SQLModel. Heavy to import: only what needs the ORM does.

A change here needs a migration beside it (`migrations/`), and one more in `schema.SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, text
from sqlmodel import Field, SQLModel


class _Table(SQLModel):
    metadata = MetaData()  # ours alone: a user's own SQLModel tables may be called `events` too


def _later(in_database: str, **more: Any) -> Any:
    """A column that older databases get with a migration: its default is in the database too."""
    return Field(sa_column_kwargs={"server_default": text(in_database)}, **more)


class SchemaVersion(_Table, table=True):
    """The version of these tables: one row."""

    __tablename__ = "schema_version"  # pyright: ignore[reportAssignmentType]

    version: int = Field(primary_key=True)


class MetaRow(_Table, table=True):
    """What is to be known of the whole database, such as the wrapped secret of an encrypted one."""

    __tablename__ = "meta"  # pyright: ignore[reportAssignmentType]

    name: str = Field(primary_key=True)
    value: str


class RunRow(_Table, table=True):
    """A run.

    `owner` is the process that carries it out, NULL when none has claimed it. `head` marks the last event of a run
    that is at rest, so that a tail that was cut off is noticed; NULL while it is carried out. `tokens`, `tool_calls`,
    `money` and `seconds` are its own, without those of runs that carry its tasks.
    """

    __tablename__ = "runs"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True, index=True)
    crew: str
    crew_path: str
    request: str
    status: str
    created: float
    finished: float | None = None
    thread_id: str | None = Field(default=None, index=True)
    answer: str = ""
    error: str = ""
    tokens: int = 0
    model: str = ""
    options: str = "{}"
    owner: str | None = None
    tenant: str = _later("''", default="", index=True)
    parent: str | None = Field(default=None, index=True)
    forked_from: str | None = None
    tool_calls: int = _later("0", default=0)
    money: float = _later("0", default=0.0)
    seconds: float = _later("0", default=0.0)
    head: bytes | None = None


class EventTable(_Table, table=True):
    """A journalled event: see `runtime/journalling/row.py`. `run` is the run's number, `seq` the event's place in it."""

    __tablename__ = "events"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    at: float
    kind: str
    task_id: str
    key: str
    body: str
    link: bytes


class BlobRow(_Table, table=True):
    """A large value, kept once under the SHA-256 of its JSON (a keyed hash of that where it is encrypted)."""

    __tablename__ = "blobs"  # pyright: ignore[reportAssignmentType]

    digest: str = Field(primary_key=True)
    body: str


class BlobRefRow(_Table, table=True):
    """Which run holds which large value."""

    __tablename__ = "blob_refs"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    digest: str = Field(primary_key=True, index=True)


class AnswerRow(_Table, table=True):
    """What a person answered to a question of a run, asked at `at`; the first answer counts.

    A step may be in doubt twice under one key, and an answer to the first doubt is none to the second.
    """

    __tablename__ = "answers"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    key: str = Field(primary_key=True)
    at: float = Field(primary_key=True)
    body: str


class ThreadRow(_Table, table=True):
    """A conversation."""

    __tablename__ = "threads"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True, index=True)
    created: float
    title: str = ""


class MessageRow(_Table, table=True):
    """A message of a conversation."""

    __tablename__ = "messages"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(index=True)
    role: str
    content: str
    at: float
    run_id: str | None = None


class SummaryRow(_Table, table=True):
    """A summary of a conversation: of all its messages up to the one numbered `upto`.

    `state` is what the next one is made of. `run_id` is the run in which a model wrote it; NULL where none did.
    """

    __tablename__ = "summaries"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(index=True)
    upto: int
    content: str
    state: str
    at: float
    run_id: str | None = None


metadata = _Table.metadata
