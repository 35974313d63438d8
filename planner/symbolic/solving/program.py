"""The solver's program: a request a line comes in, a reply a line goes out, until nobody is there any more.

It reads on while an engine works: when the other end of the pipe is gone it ends itself and all engines with it.
Whatever libraries and engines print goes nowhere.
"""

from __future__ import annotations

import importlib
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import Any, BinaryIO

_ENOUGH = 500
"""Requests after which a fresh process is better: the libraries keep something of each."""


def main() -> None:
    """Serve until the pipe closes, nothing has come for the seconds of the first argument, or enough was done."""
    idle, memory = float(sys.argv[1]), int(sys.argv[2])
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if memory and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    _keep_engines_in_the_group()
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, lines), daemon=True).start()
    from .engines import installed, solve
    from .request import REQUEST, Reply

    if installed("fast-downward") or installed("pyperplan"):
        importlib.import_module("unified_planning.shortcuts")  # takes seconds: before anybody asks
    out.write(b"ready\n")
    for _ in range(_ENOUGH):
        try:
            line = lines.get(timeout=idle)
        except queue.Empty:
            break
        try:
            reply = solve(REQUEST.validate_json(line))
        except (
            Exception
        ) as error:  # an engine's own: it is said, and the next engine or problem may fare better
            reply = Reply(status="unsolved", said=f"{type(error).__name__}: {error}"[:500])
        out.write(reply.model_dump_json().encode() + b"\n")
    out.close()
    os._exit(0)


def _read(pipe: BinaryIO, lines: queue.Queue[bytes]) -> None:
    for line in pipe:
        lines.put(line)
    if sys.platform == "win32":
        os._exit(0)
    os.killpg(0, signal.SIGKILL)


def _keep_engines_in_the_group() -> None:
    """unified-planning starts engines in sessions of their own, where killing this process group would not reach them."""

    class Popen(subprocess.Popen[Any]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "start_new_session": False})

    subprocess.Popen = Popen  # type: ignore[misc]  # in this process, which does nothing else


if __name__ == "__main__":
    main()
