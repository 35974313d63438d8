"""The SQLite file itself: opened, checked, made, migrated, and set aside when it is damaged. Blocking."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreCorrupt, StoreError
from .owner import alone

SCHEMA_VERSION = 1
_MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""From each older version, the step to the next; only ever added to, each with a comment that says why."""

_MAGIC = b"SQLite format 3\0"
_TABLES = ("runs", "events", "threads", "messages")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_SECONDS = 30.0


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
                _check_schema(connection, path)
            except BaseException as error:
                connection.close()
                if isinstance(error, sqlite3.Error) and is_damage(error):
                    raise _set_aside(path) from None
                raise
            return connection
    except (sqlite3.Error, OSError) as error:
        raise refusal(path, error) from None


def refusal(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """The one sentence for a database that cannot be used."""
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        mend = "free some space, then resume the run"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        mend = "another program holds it; close that one and try again"
    else:
        mend = "check that its folder exists and is writable, or choose another one"
    return StoreError(f"The database {path} cannot be used ({reason}): {mend}.")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file is damaged, not merely busy, full or read-only."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def set_aside(path: Path, *, inode: int) -> StoreCorrupt:
    """Rename a database that was found damaged while in use, unless that has been done meanwhile."""
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
    if not tables:
        _create(connection, path)
        return
    if "schema_version" not in tables:
        raise StoreError(f"The database {path} is not one of crewgraph's: choose another path.")
    (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    if version is None:
        _create(connection, path)
        return
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The database {path} was written by a newer crewgraph (its tables are version {version}, "
            f"this one reads up to {SCHEMA_VERSION}): upgrade crewgraph, or choose another path."
        )
    for old in range(version, SCHEMA_VERSION):
        _MIGRATIONS[old](connection)
    for table in _TABLES:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()


def _create(connection: sqlite3.Connection, path: Path) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from .tables import TABLES, metadata

    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    # The version's table comes first and its row last: what a crash leaves between them is told from another
    # program's database, and finished by the next opening.
    metadata.create_all(engine, TABLES[:1])
    metadata.create_all(engine, TABLES)
    connection.execute("INSERT INTO schema_version (version) VALUES (?)", (SCHEMA_VERSION,))
