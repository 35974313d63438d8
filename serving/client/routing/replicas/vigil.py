"""Owns watching one call for silence: an engine that says nothing for long must show that it lives."""

from __future__ import annotations

import asyncio
from types import TracebackType

from .....runtime.errors import EngineUnreachable
from ..breaking import Breakable
from .replica import Replica

_TICK_S = 0.001
"""What is left of a wait may be so little that adding it moves no clock."""


class Vigil:
    """``with vigil: piece = await …`` around each wait for something from `replica`; `aclose` ends it.

    One timer a call, set again only when it fires: a piece costs it one reading of the clock. After `silence_s` of
    waiting the replica is probed, beside the wait. If it answers, the wait goes on (a long prompt is no failure); if
    not, the wait ends with `EngineUnreachable`. A time in which nobody waits is the reader's silence.
    """

    def __init__(self, replica: Replica, silence_s: float) -> None:
        self._replica = replica
        self._silence_s = silence_s
        self._wait = Breakable()
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._probe: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._wait.__enter__()
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._silence_s, self._due)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait.__exit__(kind, error, trace)
        if self._probe is not None and not self._probe.done():
            self._probe.cancel()  # something came meanwhile
            self._timer = self._loop.call_later(self._silence_s, self._due)

    def break_off(self, error: Exception) -> None:
        """End the wait for another reason."""
        self._wait.break_off(error)

    async def aclose(self) -> None:
        """End the watch; nothing of it is left."""
        if self._timer is not None:
            self._timer.cancel()
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)

    def _due(self) -> None:
        quiet = self._loop.time() - self._since if self._wait.waiting else 0.0
        if quiet < self._silence_s:
            left = max(self._silence_s - quiet, _TICK_S)
            self._timer = self._loop.call_later(left, self._due)
        else:
            self._probe = self._loop.create_task(self._ask())

    async def _ask(self) -> None:
        if await self._replica.answers():
            self._timer = self._loop.call_later(self._silence_s, self._due)
        else:
            self._wait.break_off(
                EngineUnreachable(
                    f"The engine {self._replica.name!r} fell silent for {self._silence_s:g} s and does not answer "
                    "when asked; see whether its process hangs."
                )
            )
