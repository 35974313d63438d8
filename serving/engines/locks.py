"""Owns file locks between processes. The kernel drops them when their holder dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def open_lock(path: Path) -> int:
    """A new descriptor of the lock file, made where it is missing; each descriptor locks for itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock at this moment."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


@asynccontextmanager
async def locked(path: Path, *, shared: bool = False) -> AsyncIterator[int]:
    """Hold the lock for a block of code, waiting for it as long as it takes; yields its descriptor.

    The wait is in a thread, because the kernel wakes that one up at the right moment; a cancelled wait is
    left behind in its thread, which gives the lock back as soon as it gets it.
    """
    descriptor = await _acquire(open_lock(path), fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _acquire(descriptor: int, operation: int) -> int:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return descriptor
    loop = asyncio.get_running_loop()
    got: asyncio.Future[None] = loop.create_future()
    guard = threading.Lock()
    abandoned = False

    def granted() -> None:
        if not got.done():
            got.set_result(None)

    def wait() -> None:
        fcntl.flock(descriptor, operation)
        with guard:
            if abandoned:
                os.close(descriptor)
            else:
                loop.call_soon_threadsafe(granted)

    threading.Thread(target=wait, name="crewgraph-lock", daemon=True).start()
    try:
        await got
    except asyncio.CancelledError:
        with guard:
            if got.done() and not got.cancelled():
                os.close(descriptor)
            abandoned = True
        raise
    return descriptor
