"""Owns how many runs go on at once, and how many requests may wait for their turn."""

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

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            ApiError: 503, as many are waiting already as may wait.
        """
        if self._slots.locked() and self._waiting >= self._limit:
            message = f"{self._waiting} requests are waiting already: try again in {RETRY_AFTER} seconds."
            raise ApiError(503, message, "overloaded", retry_after=RETRY_AFTER)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()
