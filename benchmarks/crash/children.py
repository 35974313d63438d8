"""Children: processes forked from a warm parent, with everything imported, and killed at a moment in time."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_STUCK = 60.0
_BROKEN = 99
_DIE_WITH_PARENT = 1


class Ended(NamedTuple):
    """How a child ended: its exit code (None where it was killed), and how long it lived, in seconds."""

    code: int | None
    seconds: float


def start(work: Callable[[], int], said: Path) -> int:
    """Fork a child that does this and exits with what it gives. What it prints is added to the file `said`."""
    if threading.active_count() > 1:
        raise RuntimeError("A process with threads must not fork.")
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = _BROKEN
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        log = os.open(said, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(child: int, kill_after: float | None = None, *, patience: float = _STUCK) -> Ended:
    """Wait until a child has ended, and kill it after so many seconds. One that is stuck is killed too.

    Raises:
        RuntimeError: it was stuck, for `patience` seconds.
    """
    began = time.monotonic()
    handle = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([handle], [], [], patience if kill_after is None else kill_after)
        if not ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(handle)
    if not ready and kill_after is None:
        raise RuntimeError(f"A process was stuck for {patience:g} s.")
    code = os.waitstatus_to_exitcode(status)
    return Ended(None if code == -signal.SIGKILL else code, time.monotonic() - began)


def run(work: Callable[[], int], said: Path, kill_after: float | None = None) -> Ended:
    """Start a child and wait for it."""
    return wait(start(work, said), kill_after)


def warm(work: Callable[[], int], folder: Path) -> None:
    """Import here whatever a child needs for this work, so that the next ones find it there."""
    names = folder / "modules"

    def listing() -> int:
        code = work()
        names.write_text("\n".join(sys.modules))
        return code

    ended = run(listing, folder / "said")
    if ended.code != 0:
        raise RuntimeError(
            f"The first sitting ended with {ended.code}: {(folder / 'said').read_text()[-2000:]}"
        )
    for name in names.read_text().split():
        if name not in sys.modules and not name.startswith("__"):
            with suppress(Exception):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()
