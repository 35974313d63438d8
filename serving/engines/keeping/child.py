"""Owns one run of an engine's own process: started bound to the daemon, its output read, ended with all its children.

The process ends with the daemon: on Linux the kernel signals it even when the daemon was killed with ``kill -9``. It
also holds a lock, through a descriptor that it inherited, on a file with its pid in it. So the next daemon knows
whether one that could not obey that signal, because it was frozen, is still there, and removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ..locks import is_locked, locked, open_lock
from ..progress import Progress
from .log import Log
from .orders import Program

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end a daemon, and its engine with it, in an orderly way."""

_PARENT_DIED = 1  # PR_SET_PDEATHSIG
_LINE_ENDS = re.compile(rb"[\r\n]+")
_CHUNK = 65536
_REMOVAL_S = 30.0


class Child:
    """The engine's process. `listens` is set once it has said that it listens; `output` ends when nobody writes."""

    def __init__(
        self, process: asyncio.subprocess.Process, reading: asyncio.Task[None], listens: asyncio.Event
    ) -> None:
        self.process = process
        self.listens = listens
        self._reading = reading

    @classmethod
    async def start(
        cls, program: Program, port: int, lock: Path, log: Log, on_progress: Callable[[Progress], None]
    ) -> Child:
        """Start the process; what it prints goes to the log, and what its stages mean to `on_progress`."""
        daemon = os.getpid()

        def bound_to_daemon() -> None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGTERM)
                if os.getppid() != daemon:
                    os._exit(1)

        held = open_lock(lock)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            process = await asyncio.create_subprocess_exec(
                *program.command_at(port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | program.environment,
                start_new_session=True,
                pass_fds=(held,),
                preexec_fn=bound_to_daemon,
            )
            os.ftruncate(held, 0)
            os.write(held, str(process.pid).encode())
        finally:
            os.close(held)
        assert process.stdout is not None
        listens = asyncio.Event()
        reading = asyncio.create_task(_read(process.stdout, program, log, on_progress, listens))
        return cls(process, reading, listens)

    async def ended(self) -> str:
        """Wait until the process has ended; in a few words, how."""
        code = await self.process.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"it was killed by {signal.Signals(-code).name}"
        return f"it ended with exit code {code}"

    async def end(self, grace_s: float) -> None:
        """End it, at once where `grace_s` is 0, and whatever it has started; returns when all of them are gone."""
        if self.process.returncode is None and grace_s > 0:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        # Processes that the engine started write to the same pipe: at its end they are gone too.
        _, late = await asyncio.wait({self._reading}, timeout=_REMOVAL_S)
        for task in late:
            task.cancel()


async def _read(
    output: asyncio.StreamReader,
    program: Program,
    log: Log,
    on_progress: Callable[[Progress], None],
    listens: asyncio.Event,
) -> None:
    """Read to the end. Progress bars write many states over one line: the log gets only what was left standing."""
    ready = re.compile(program.ready)
    stages = [(re.compile(pattern), stage) for pattern, stage in program.stages]
    rest = b""
    while data := await output.read(_CHUNK):
        pieces = _LINE_ENDS.split(rest + data)
        rest = pieces.pop()[-_CHUNK:]
        for piece in pieces:
            if not piece:
                continue
            line = piece.decode(errors="replace")
            said = None if listens.is_set() else _progress(line, stages)
            if said is not None:
                on_progress(said)
            if said is None or said.total is None:
                log.write(piece + b"\n")
            if not listens.is_set() and ready.search(line):
                listens.set()
    if rest:
        log.write(rest + b"\n")


def _progress(line: str, stages: list[tuple[re.Pattern[str], str]]) -> Progress | None:
    for pattern, stage in stages:
        if found := pattern.search(line):
            groups = {name: text for name, text in found.groupdict().items() if text is not None}
            percent = groups.pop("percent", None)
            text = stage.format(**groups)
            return Progress(text) if percent is None else Progress(text, int(percent), 100)
    return None


def cpu_seconds(pid: int) -> float:
    """What the process has used of the CPUs so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def remove_left_over(lock: Path) -> int | None:
    """Kill the engine process that an earlier daemon left behind; its pid, or None where there is none."""
    pid = _left_over(lock)
    if pid is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    async with asyncio.timeout(_REMOVAL_S), locked(lock):
        return pid


def _left_over(lock: Path) -> int | None:
    try:
        return int(lock.read_text()) if is_locked(lock) else None
    except ValueError:
        return None
