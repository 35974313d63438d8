"""Turns by file locks, which the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from .owner import folder_of

_PREFIX = "turn-"


class FileTurns:
    """The turns of all processes that use one database file: a locked file each, beside it, while somebody has it."""

    def __init__(self, database: Path) -> None:
        self._folder = folder_of(database)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Hold the turn with this name. Raises `OSError`."""
        path = self._folder / (_PREFIX + hashlib.blake2b(name.encode(), digest_size=16).hexdigest())
        file = _taken(path, wait=False)
        if file is None:
            file = await _waited(path)
        try:
            yield
        finally:
            _let_go(path, file)


def _taken(path: Path, *, wait: bool) -> int | None:
    """The locked file; None where somebody else has it and we do not `wait`."""
    while True:
        try:
            file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # whoever had it took the file away meanwhile: there may be a new one


def _is_at(path: Path, file: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _let_go(path: Path, file: int) -> None:
    with suppress(OSError):
        path.unlink()
    os.close(file)


async def _waited(path: Path) -> int:
    """The same, in a thread of its own: those of the loop's pool are needed by whoever has the turn now."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def settle(got: int | OSError) -> None:
        if isinstance(got, OSError):
            if not done.done():
                done.set_exception(got)
        elif done.done():  # nobody waits any more
            _let_go(path, got)
        else:
            done.set_result(got)

    def work() -> None:
        got: int | OSError | None
        try:
            got = _taken(path, wait=True)
        except OSError as error:
            got = error
        assert got is not None, "who waits gets it"
        try:
            loop.call_soon_threadsafe(settle, got)
        except RuntimeError:  # the loop is closed
            if isinstance(got, int):
                _let_go(path, got)

    threading.Thread(target=work, name="crewgraph-turn", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        if done.done() and not done.cancelled() and done.exception() is None:
            _let_go(path, done.result())
        raise
