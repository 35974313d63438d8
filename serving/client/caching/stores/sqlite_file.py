"""The SQLite file of kept replies: made, opened, kept within its bounds, set aside when it is damaged. Blocking."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from .....runtime.errors import StoreCorrupt, StoreError

_OURS = 0x63677270
"""What the file says it is, so that nobody else's database is taken for a cache."""
_VERSION = 1
_BUSY_S = 0.8
"""Seconds to wait for another process: less than a call waits for the store."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_EVICTED = 64

PUT = """INSERT INTO replies (key, value, used, expires) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, used = excluded.used, expires = excluded.expires"""
_EVICT = """DELETE FROM replies WHERE rowid IN (
    SELECT rowid FROM replies ORDER BY used LIMIT max(1, min(?, (SELECT entries / 20 FROM total))))"""

_TABLES = (
    "CREATE TABLE replies (key TEXT PRIMARY KEY, value BLOB NOT NULL, used REAL NOT NULL, expires REAL)",
    "CREATE INDEX replies_used ON replies (used)",
    "CREATE INDEX replies_expires ON replies (expires) WHERE expires IS NOT NULL",
    "CREATE TABLE total (entries INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0, 0)",
    # Counted by the database, so that several processes keep one count.
    "CREATE TRIGGER came AFTER INSERT ON replies BEGIN"
    " UPDATE total SET entries = entries + 1, bytes = bytes + length(NEW.value) + 200; END",
    "CREATE TRIGGER went AFTER DELETE ON replies BEGIN"
    " UPDATE total SET entries = entries - 1, bytes = bytes - length(OLD.value) - 200; END",
    "CREATE TRIGGER became AFTER UPDATE OF value ON replies BEGIN"
    " UPDATE total SET bytes = bytes - length(OLD.value) + length(NEW.value); END",
)


def now() -> float:
    """Seconds since 1970: several processes share the file."""
    return time.time()


def prepare(path: Path) -> sqlite3.Connection:
    """Open the file, made if need be. Raises `sqlite3.Error`, `OSError`, or `StoreError`: it is something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite gives the files beside it the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check(connection, path)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if _said(connection) == (_OURS, _VERSION):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        ours, version = _said(connection)  # another process may have made it meanwhile
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_OURS}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif ours != _OURS:
            raise StoreError(f"{path} is a database of something else, and no cache: name another file.")
        elif version != _VERSION:
            raise StoreError(
                f"The cache {path} was made by another version of crewgraph: remove it, or name another file."
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _said(connection: sqlite3.Connection) -> tuple[int, int]:
    ours: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return ours, version


def expire(connection: sqlite3.Connection) -> int:
    """Take away what has expired; how many entries that were."""
    return connection.execute("DELETE FROM replies WHERE expires <= ?", (now(),)).rowcount


def evict(connection: sqlite3.Connection, max_bytes: int, share: float) -> None:
    """Where more than `max_bytes` are kept: take away what has expired, then what was not asked for longest."""
    if _bytes(connection) <= max_bytes:
        return
    expire(connection)
    gone = 1
    while gone and _bytes(connection) > max_bytes * share:
        gone = connection.execute(_EVICT, (_EVICTED,)).rowcount


def _bytes(connection: sqlite3.Connection) -> int:
    kept: int = connection.execute("SELECT bytes FROM total").fetchone()[0]
    return kept


def shrink(connection: sqlite3.Connection) -> None:
    """Give the room of what was taken away back to the disk, out of the log too."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def inode_of(path: Path) -> int:
    """Which file this is just now, whatever its name will be later."""
    return path.stat().st_ino


def failure(path: Path, error: Exception, inode: int) -> StoreError:
    """The one sentence for what went wrong. A cache of ours that is damaged is set aside: nothing in it is missed.

    `inode` is the file in use, 0 where it could not even be opened.
    """
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        if code == sqlite3.SQLITE_CORRUPT and _set_aside(path, inode):
            return StoreCorrupt(f"The cache {path} was damaged and has been set aside; a new one is begun.")
        return StoreCorrupt(f"{path} is damaged, or no cache: remove it, or name another file.")
    return StoreError(f"The cache {path} cannot be used ({reason}): mend that, or name another file.")


def _set_aside(path: Path, inode: int) -> bool:
    try:
        if inode and inode_of(path) != inode:
            return True  # another process has done so already
        with path.open("rb") as head:
            if int.from_bytes(head.read(72)[68:72], "big") != _OURS:
                return False
        for suffix in ("-wal", "-shm"):  # a log of another database would be taken for the new one's
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(path.with_name(path.name + ".damaged"))
    except OSError:
        return False
    return True
