"""Patience: asking something that a call can do without, and going on without it when it fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)
REST_S = 5.0
"""Seconds for which something that failed is left alone, so that not every call waits for it."""


class Patience:
    """Tries work for so many seconds at most. A failure is counted by `failed`, and said once until it is mended."""

    def __init__(self, what: str, seconds: float, failed: Callable[[], None]) -> None:
        self._what = what
        self._seconds = seconds
        self._failed = failed
        self._rests_until = 0.0
        self._down = False

    async def attempt(self, work: Callable[[], Awaitable[T]], *, always: bool = False) -> T | None:
        """What the work gives; None where it failed, took too long, or failed a moment ago and not `always`."""
        if not always and time.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                found = await work()
        except Exception as error:  # whatever it is, the call goes on
            self._failed()
            self._rests_until = time.monotonic() + REST_S
            if not self._down:
                self._down = True
                said = str(error) or f"no answer within {self._seconds:g} s"
                _log.warning("%s cannot be used, calls go on without it: %s", self._what, said)
            return None
        if self._down and not always:
            self._down, self._rests_until = False, 0.0
            _log.warning("%s can be used again.", self._what)
        return found
