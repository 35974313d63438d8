"""The tables, declared in SQLModel. Heavy to import: only what needs the ORM does."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class SchemaVersion(SQLModel, table=True):
    """The version of these tables: one row. Migrations only ever add to the list in `sqlite_file`."""

    __tablename__ = "schema_version"  # pyright: ignore[reportAssignmentType]

    version: int = Field(primary_key=True)


class RunRow(SQLModel, table=True):
    """A run. `owner` is the process that carries it out, and NULL when none has claimed it."""

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
    tenant: str = Field(default="", index=True)
    parent: str | None = Field(default=None, index=True)
    forked_from: str | None = None
    tool_calls: int = 0
    money: float = 0.0
    seconds: float = 0.0
    head: bytes | None = None


class EventTable(SQLModel, table=True):
    """A journalled event: see `runtime/row.py`. `run` is the run's number, `seq` the event's place in it."""

    __tablename__ = "events"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    at: float
    kind: str
    task_id: str
    key: str
    body: str
    link: bytes = b""


class BlobRow(SQLModel, table=True):
    """A large value, kept once by the SHA-256 of its JSON."""

    __tablename__ = "blobs"  # pyright: ignore[reportAssignmentType]

    digest: str = Field(primary_key=True)
    body: str


class BlobRefRow(SQLModel, table=True):
    """Which run holds which large value."""

    __tablename__ = "blob_refs"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    digest: str = Field(primary_key=True, index=True)


class AnswerRow(SQLModel, table=True):
    """What a person answered to a question of a run; the first answer counts."""

    __tablename__ = "answers"  # pyright: ignore[reportAssignmentType]

    run: int = Field(primary_key=True)
    key: str = Field(primary_key=True)
    at: float
    body: str


class ThreadRow(SQLModel, table=True):
    """A conversation."""

    __tablename__ = "threads"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True, index=True)
    created: float
    title: str = ""


class MessageRow(SQLModel, table=True):
    """A message of a conversation."""

    __tablename__ = "messages"  # pyright: ignore[reportAssignmentType]

    number: int | None = Field(default=None, primary_key=True)
    thread_id: str = Field(index=True)
    role: str
    content: str
    at: float
    run_id: str | None = None


metadata = SQLModel.metadata
TABLES = [
    metadata.tables[name]
    for name in ("schema_version", "runs", "events", "blobs", "blob_refs", "answers", "threads", "messages")
]
"""Ours alone: a user's own SQLModel tables share the metadata."""
