"""Owns who begins: of requests that come in one moment, a few at a time are brought to their first call.

What lies between a request and its first call of a model or a tool is mostly this process's own work. Done for all of
them side by side, the first is ready when the last one is; done for a few at a time, the engine has work at once, and the
last one waits no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from ..runtime.context import Listener
from ..runtime.events import Event, StepIntended

_AT_ONCE = 8
"""As many as keep this process busy while some of them wait for the disk."""
_LONGEST_S = 0.05
"""Who has not come to its first call by then waits for something else, such as an author's planner."""


class Starts:
    """The places of those that begin just now."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)

    def start(self, listeners: Sequence[Listener]) -> Start:
        """The start of one run with these listeners; entered, it waits its turn: first come, first served."""
        return Start(self._places, listeners)


class Start:
    """Holds a place until the run's first step, of which it hears beside the `listeners`, or its end; never for long."""

    def __init__(self, places: asyncio.Semaphore, listeners: Sequence[Listener]) -> None:
        self.listeners = (*listeners, self._heard)
        self._places = places
        self._held: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._places.acquire()
        self._held = asyncio.get_running_loop().call_later(_LONGEST_S, self._give_back)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._give_back()

    def _heard(self, event: Event) -> None:
        if self._held is not None and isinstance(event, StepIntended):
            self._give_back()

    def _give_back(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
            self._places.release()
