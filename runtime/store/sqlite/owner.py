"""Owner: which process carries a run out, told by a file lock that dies with the process.

Each open store takes one lock, however many runs it carries; a run's row names its owner. An owner whose lock
can be had is dead, and its runs may be claimed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "owner-"


def folder_of(database: Path) -> Path:
    """The folder beside the database that holds the locks."""
    return database.with_name(database.name + ".locks")


class Owner:
    """This store as an owner of runs. The lock is taken when the first run is claimed."""

    def __init__(self, database: Path) -> None:
        self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = folder_of(database)
        self._file: int | None = None

    def take(self) -> None:
        """Hold the lock from now on. Raises `OSError`."""
        if self._file is not None:
            return
        self._folder.mkdir(exist_ok=True)
        file = os.open(self._path(self.id), os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # at most, somebody is just looking whether it is held
        self._file = file

    def release(self) -> None:
        """Let the lock go and remove its file."""
        if self._file is None:
            return
        with suppress(OSError):
            self._path(self.id).unlink()
        os.close(self._file)
        self._file = None

    def alive(self, owner: str | None) -> bool:
        """Whether that owner still holds its lock. What a dead one left behind is cleared away."""
        if owner is None:
            return False
        if owner == self.id:
            return self._file is not None
        path = self._path(owner)
        if _held(path):
            return True
        with suppress(OSError):
            path.unlink()
        return False

    def _path(self, owner: str) -> Path:
        return self._folder / f"{_PREFIX}{owner}"


def anybody(database: Path) -> bool:
    """Whether any store, of any process, holds its lock just now."""
    return any(map(_held, folder_of(database).glob(f"{_PREFIX}*")))


def _held(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def alone(database: Path) -> Iterator[None]:
    """Be the only process that makes, checks or sets aside this database. Blocks; raises `OSError`."""
    folder = folder_of(database)
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "opening", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
