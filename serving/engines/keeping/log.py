"""Owns an engine's log: one file that is kept over restarts, with one older one beside it, both of bounded size."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

MOST_BYTES = 8 * 1024 * 1024
MARK = "== "
"""Begins the lines that are crewgraph's own."""
STARTING = "starting "
"""Begins, after `MARK` and the time, the line before the output of a new daemon."""


def older(path: Path) -> Path:
    """Where the log's beginning is once it has grown too long."""
    return path.with_name(f"{path.name}.1")


class Log:
    """Writes to `path`; at `most_bytes` that file becomes the older one, and a new one is begun.

    What this process itself prints to stderr goes there as well.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most_bytes
        self._descriptor = self._open()

    def say(self, sentence: str) -> None:
        """A line of our own, with the time."""
        self.write(f"{MARK}{datetime.now().astimezone().isoformat(timespec='seconds')} {sentence}\n".encode())

    def write(self, data: bytes) -> None:
        """Append; a full disk is no reason to stop the engine."""
        try:
            os.write(self._descriptor, data)
            if os.fstat(self._descriptor).st_size >= self._most:
                self._path.replace(older(self._path))
                os.close(self._descriptor)
                self._descriptor = self._open()
        except OSError:
            return

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(descriptor, 2)
        return descriptor


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of the log, the older file's among them where the newer one is short."""
    found: list[str] = []
    for file in (path, older(path)):
        if len(found) >= lines:
            break
        try:
            text = file.read_bytes().decode(errors="replace")
        except OSError:
            continue
        found = text.splitlines()[-(lines - len(found)) :] + found
    return found


def last_words(path: Path, lines: int = 3) -> str:
    """What the engine printed last since it was started, on one line, for error messages."""
    words: list[str] = []
    for line in tail(path, 200):
        if line.startswith(MARK):
            words = [] if f" {STARTING}" in line else words
        elif line.strip():
            words.append(line.strip())
    return " / ".join(words[-lines:])[-400:]
