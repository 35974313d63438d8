"""The SQLite file itself: opened, checked, made, migrated, and set aside when it is damaged. Blocking."""

from __future__ import annotations

import errno
import sqlite3
import time
from pathlib import Path

from ...errors import StoreCorrupt, StoreError
from ..sql import schema
from .owner import alone, anybody

_MAGIC = b"SQLite format 3\0"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_SECONDS = 30.0


_NO_ROOM_FOR_INDEX = 4874
"""SQLITE_IOERR_SHMSIZE: on a quite full disk SQLite cannot make the file beside its log, and calls it that."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A bare connection in autocommit mode, usable from any one thread at a time. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """Open the database for writing, made or migrated if need be. Looks at the file's frame, not at every
    page.

    Raises:
        StoreError: it cannot be opened, is somebody else's, or was written by a newer version.
        StoreCorrupt: it is damaged and has been set aside.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path):
            if not _looks_whole(path):
                raise _set_aside(path)
            path.touch(mode=0o600)  # what people ask is theirs; SQLite gives its other files the same mode
            connection = connect(path)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `checkpoints`
                connection.execute("PRAGMA secure_delete = ON")
                _check_schema(connection, path)
            except BaseException as error:
                connection.close()
                if isinstance(error, sqlite3.Error) and is_damage(error):
                    raise _set_aside(path) from None
                raise
            return connection
    except (sqlite3.Error, OSError) as error:
        raise refusal(path, error) from None


def failure(path: Path, error: Exception, *, inode: int) -> StoreError:
    """The one sentence for what went wrong in use; a damaged database is set aside, if that is not yet done."""
    if isinstance(error, sqlite3.Error) and is_damage(error):
        return _set_aside_in_use(path, inode)
    return refusal(path, error)


def refusal(path: Path, error: Exception) -> StoreError:
    """The one sentence for a database that cannot be used."""
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    whole = getattr(error, "sqlite_errorcode", 0)
    if (
        code == sqlite3.SQLITE_FULL
        or whole == _NO_ROOM_FOR_INDEX
        or getattr(error, "errno", 0) == errno.ENOSPC
    ):
        mend = "free some space, then resume the run"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        mend = "another program holds it; close that one and try again"
    else:
        mend = "check that its folder exists and is writable, or choose another one"
    return StoreError(f"The database {path} cannot be used ({reason}): {mend}.")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file is damaged, not merely busy, full or read-only."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def _set_aside_in_use(path: Path, inode: int) -> StoreCorrupt:
    try:
        with alone(path):
            if path.exists() and path.stat().st_ino == inode:
                return _set_aside(path)
    except OSError as error:
        return StoreCorrupt(
            f"The database {path} is damaged and could not be set aside ({error.strerror}): move it."
        )
    return StoreCorrupt(f"The database {path} was damaged and has been set aside: run the command again.")


def _looks_whole(path: Path) -> bool:
    if not path.exists():
        return True
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head:
        return head == _MAGIC
    # An empty file is a new database, but SQLite would throw away a log that lies beside it.
    log = path.with_name(path.name + "-wal")
    return not (log.exists() and log.stat().st_size)


def _set_aside(path: Path) -> StoreCorrupt:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    attempt = 1
    while target.exists():
        attempt += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{attempt}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return StoreCorrupt(
        f"The database {path} was damaged and has been set aside as {target.name}: "
        "run the command again to start a new one."
    )


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    there = "schema_version" in tables
    if tables and not there:
        raise schema.foreign(str(path))
    version = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0] if there else None
    if version is None:  # it is new, or making it broke off
        _bring_up(path, there)
    elif schema.check_version(version, str(path)):
        if anybody(path):
            raise schema.in_use(str(path))
        _bring_up(path, there)
    for table in schema.TABLES:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()


def _bring_up(path: Path, there: bool) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver itself would begin too late for DDL
            schema.bring_up(connection, there)
            connection.commit()
    except DBAPIError as error:
        raise error.orig or error from None
