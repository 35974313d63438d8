"""The solver as seen from a run: a process that is started on first need, kept warm, and killed when it is late.

The process loads unified-planning (about a second) and then answers in tenths of one. It is in a session of its own, so
that it and the engines it starts are killed together, works in a folder of its own, may use so much memory and no
more, and ends by itself when it has been idle, or when whoever started it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from importlib.util import find_spec
from weakref import WeakKeyDictionary

from ....runtime.errors import InvalidPlan
from .request import INSTALL, Reply, Request

_START_LIMIT = 60.0
_GRACE = 2.0  # for what is not search: writing the problem down, reading the plan back


class Solver:
    """Asks planners, one process for each problem that is being solved; one is kept for the next.

    `idle` is for how many seconds, `memory_mb` how much a process may use, `at_once` how many there are side by side;
    further problems wait. `close` ends what is kept sooner; without, it ends with this object or with the program.
    """

    def __init__(self, *, idle: float = 300.0, memory_mb: int = 4096, at_once: int = 2) -> None:
        self._idle = idle
        self._memory = memory_mb
        self._at_once = at_once
        self._seats: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._free: list[_Process] = []

    async def solve(self, request: Request) -> Reply:
        """The answer. ``late`` after the request's seconds; the process is killed then, and when this is cancelled.

        Raises:
            InvalidPlan: the extra is not installed, or the solver's process cannot be started or broke.
        """
        if find_spec("unified_planning") is None and find_spec("gtpyhop") is None:
            raise InvalidPlan(f"Symbolic planning needs planners that are not installed: {INSTALL}")
        seats = self._seats.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._at_once))
        async with seats:
            return await self._solve(request)

    async def _solve(self, request: Request) -> Reply:
        line = request.model_dump_json().encode() + b"\n"
        while True:
            process, fresh = (
                (self._free.pop(), False) if self._free else (_Process(self._idle, self._memory), True)
            )
            if fresh and not await process.ready():
                raise InvalidPlan(
                    "The symbolic planner's process did not start: try again, and look whether there is memory for it."
                )
            try:
                answer = await process.line(request.limit + _GRACE, asked=line)
            except TimeoutError:
                return Reply(status="late", said=f"nothing was found in {request.limit:g} s")
            if answer:
                break
            process.end()
            if fresh:
                raise InvalidPlan(
                    "The symbolic planner broke at this problem: ask for fewer goals at once, or give it more memory."
                )
        for old in self._free:
            old.end()
        self._free = [process]
        return Reply.model_validate_json(answer)

    def close(self) -> None:
        """End the process that is kept."""
        for process in self._free:
            process.end()
        self._free = []


class _Process:
    """One solver process. Whoever waits for a line of it and is cancelled, or waits too long, kills it."""

    def __init__(self, idle: float, memory_mb: int) -> None:
        folder = tempfile.mkdtemp(prefix="crewgraph-solver-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.program", str(idle), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "TMPDIR": folder},
            start_new_session=True,
        )
        self.end = weakref.finalize(self, _end, self._process, folder)

    async def ready(self) -> bool:
        """Whether it has come up."""
        with contextlib.suppress(TimeoutError):
            if await self.line(_START_LIMIT) == b"ready\n":
                return True
        self.end()
        return False

    async def line(self, limit: float, *, asked: bytes = b"") -> bytes:
        """Its next line, after it was `asked` one; b"" where it has ended. Raises TimeoutError."""
        reading = asyncio.ensure_future(asyncio.to_thread(self._line, asked))
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(reading)
        except (TimeoutError, asyncio.CancelledError):
            _kill(self._process)
            await reading  # which has come to the end of the pipe
            self.end()
            raise

    def _line(self, asked: bytes) -> bytes:
        assert self._process.stdin is not None, "it was started with pipes"
        assert self._process.stdout is not None, "it was started with pipes"
        try:
            if asked:
                self._process.stdin.write(asked)
                self._process.stdin.flush()
            return self._process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            return b""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It and every engine that it has started."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], folder: str) -> None:
    _kill(process)
    with contextlib.suppress(BrokenPipeError):
        process.communicate()
    shutil.rmtree(folder, ignore_errors=True)
