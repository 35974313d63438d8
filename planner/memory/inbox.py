"""Inbox: what is to be kept of plans, written down at once, until somebody next looks for plans and puts it in its place.

So that a run that looks for none does not pay for an index, and processes that share a folder lose nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .entry import Entry

_LONGEST = 4 * 2**20
"""Bytes: of a longer file only the later half stays."""

What = Literal["worked", "failed"]


class Deed(BaseModel):
    """What came of a plan."""

    model_config = ConfigDict(frozen=True)

    what: What
    entry: Entry


class Inbox:
    """Deeds in order: in a file of JSON Lines that any number of processes share, else in memory. Blocking."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._held: list[Deed] = []

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        if self._file is None:
            return not self._held
        try:
            return self._file.stat().st_size == 0
        except (FileNotFoundError, NotADirectoryError):
            return True

    def put(self, deeds: Sequence[Deed]) -> None:
        """Write deeds down behind the others. Raises `OSError`."""
        if self._file is None:
            self._held += deeds
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(b"".join(deed.model_dump_json().encode() + b"\n" for deed in deeds))
            file.flush()
            if file.tell() > _LONGEST:
                file.seek(0)
                lines = file.read().splitlines(keepends=True)
                file.truncate(0)
                file.write(b"".join(lines[len(lines) // 2 :]))

    def take(self, most: int | None = None) -> list[Deed]:
        """The oldest deeds, which are then no longer here: put back those of which nothing can be made. Raises `OSError`."""
        if self._file is None:
            taken, self._held = self._held[:most], self._held[len(self._held[:most]) :]
            return taken
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            lines = file.read().splitlines(keepends=True)
            if lines:
                file.truncate(0)
                file.write(b"".join(lines[len(lines[:most]) :]))
        return list(_read(lines[:most]))

    def waiting(self) -> list[Deed]:
        """All deeds, which stay here. Raises `OSError`."""
        if self._file is None:
            return list(self._held)
        try:
            return list(_read(self._file.read_bytes().splitlines()))
        except FileNotFoundError:
            return []


def _read(lines: Iterable[bytes]) -> Iterable[Deed]:
    for line in lines:
        try:
            yield Deed.model_validate_json(line)
        except ValidationError:  # of another version, or cut short when a disk was full
            continue
