"""Owns watching an engine's process: one that ends, or no longer answers, is started again, on the same port.

How patient it is, and when it gives up, `Patience` says. Files and users of the engine are the daemon's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..progress import Progress
from .child import Child, cpu_seconds
from .log import Log
from .orders import Patience, Program
from .probe import healthy

_START_PROBE_S = 1.0
_LEAST_MISSES = 3
_BUSY_SHARE = 0.1
_BUSY_PATIENCE = 10
"""How much longer an engine may be silent that uses a tenth of a core or more: all its ears are taken, perhaps."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the engine had to be started again, and for how many seconds it had answered before (0: never)."""

    reason: str
    well_s: float


@dataclass(frozen=True, slots=True)
class Watching:
    """What is told of the engine, each time it changes: whether it answers, and what has been wrong so far.

    `again_s` is the pause before the next start; None when there is none, because it answers, starts, or is given up.
    """

    answers: bool
    pid: int | None = None
    restarts: int = 0
    fault: str = ""
    again_s: float | None = None


class GivenUp(Exception):
    """The engine is not started again; the message is the last fault in a few words (see `Patience.restarts`)."""


class Watch:
    """Keeps one program up, until it is cancelled or gives up."""

    def __init__(
        self,
        program: Program,
        port: int,
        patience: Patience,
        lock: Path,
        log: Log,
        *,
        on_change: Callable[[Watching], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._program = program
        self._port = port
        self._patience = patience
        self._lock = lock
        self._log = log
        self._on_change = on_change
        self._on_progress = on_progress

    async def keep_up(self) -> None:
        """Start the engine and keep it up. Raises `GivenUp`: its first start failed, or too many in a row did."""
        restarts = faults = 0
        last = ""
        while True:
            fault = await self._once(restarts, last)
            last = fault.reason
            faults = 1 if fault.well_s >= self._patience.calm_s else faults + 1
            pause = self._patience.pause(faults)
            if pause is None or (restarts == 0 and fault.well_s == 0):
                self._log.say(f"{last}; it is not started again")
                raise GivenUp(last)
            restarts += 1
            self._log.say(f"{last}; restart {faults} of {self._patience.restarts} in {pause:g} s")
            self._on_change(Watching(False, None, restarts, last, pause))
            await asyncio.sleep(pause)

    async def _once(self, restarts: int, last: str) -> Fault:
        """One run of the process, until a fault."""
        child = await Child.start(self._program, self._port, self._lock, self._log, self._on_progress)
        now = Watching(False, child.process.pid, restarts, last)
        self._log.say(f"the engine's process is {now.pid}, on port {self._port}")
        self._on_change(now)
        well = _Well()
        ended = asyncio.create_task(child.ended())
        frozen = asyncio.create_task(self._frozen(child, well, now))
        grace_s = self._program.grace_s
        try:
            done, _ = await asyncio.wait({ended, frozen}, return_when=asyncio.FIRST_COMPLETED)
            grace_s = 0.0
            reason = (ended if ended in done else frozen).result()
            return Fault(reason, well.seconds())
        finally:
            for task in (ended, frozen):
                task.cancel()
            await asyncio.gather(ended, frozen, return_exceptions=True)
            await child.end(grace_s)

    async def _frozen(self, child: Child, well: _Well, now: Watching) -> str:
        """Ask the engine for its health until it has been silent for too long; in a few words, how."""
        patience = self._patience
        began = time.monotonic()
        while not await healthy(self._port, patience.answer_s):
            if time.monotonic() - began > patience.start_s:
                return f"it did not listen within {patience.start_s:g} s"
            # One that says that it listens is asked at once, one that never does is asked all the same.
            pause = _START_PROBE_S / 10 if child.listens.is_set() else _START_PROBE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await (asyncio.sleep(pause) if child.listens.is_set() else child.listens.wait())
        well.since = heard = time.monotonic()
        self._on_change(replace(now, answers=True))
        misses, worked = 0, cpu_seconds(child.process.pid)
        while True:
            await asyncio.sleep(patience.check_s)
            if await healthy(self._port, patience.answer_s):
                heard, misses, worked = time.monotonic(), 0, cpu_seconds(child.process.pid)
                continue
            misses += 1  # several: a daemon that was itself held up has not heard the engine for long, either
            silent = time.monotonic() - heard
            busy = cpu_seconds(child.process.pid) - worked > _BUSY_SHARE * silent
            limit = patience.silent_s * (_BUSY_PATIENCE if busy else 1)
            if misses >= _LEAST_MISSES and silent >= limit:
                return f"it had not answered for {silent:.0f} s"


@dataclass(slots=True)
class _Well:
    """Since when the engine has answered."""

    since: float | None = None

    def seconds(self) -> float:
        return 0.0 if self.since is None else time.monotonic() - self.since
