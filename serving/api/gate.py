"""Owns how many runs go on at once, how many requests may wait for their turn, and when there are no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import ApiError

RETRY_AFTER = 5
"""Seconds after which a client that was turned away may try again."""


class Gate:
    """`running` runs at once, `waiting` more in a first-come queue; everybody else is told to come back."""

    def __init__(self, running: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(running)
        self._waiting = 0
        self._limit = waiting
        self.closed = asyncio.Event()

    def close(self) -> None:
        """The server stops: runs under way are to be cancelled, and nobody gets a turn any more."""
        self.closed.set()

    def refuse_when_full(self) -> None:
        """Turn a request away before anything is done for it. Raises what `turn` raises."""
        if self.closed.is_set():
            raise stopping()
        if self._slots.locked() and self._waiting >= self._limit:
            message = f"{self._waiting} requests are waiting already: try again in {RETRY_AFTER} seconds."
            raise ApiError(503, message, "overloaded", retry_after=RETRY_AFTER)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            ApiError: 503, as many are waiting already as may wait, or the server stops.
        """
        self.refuse_when_full()
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


def stopping() -> ApiError:
    """What clients are told whose request the server cannot finish any more."""
    return ApiError(503, "The server is stopping: try again later.", "stopping", retry_after=RETRY_AFTER)
