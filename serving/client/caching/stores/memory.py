"""MemoryStore: replies in this process's memory, for as long as it lives."""

from __future__ import annotations

import time
from collections import OrderedDict

from ..store import CacheSize

_AROUND = 200
"""Bytes that an entry takes beside its value, about."""


class MemoryStore:
    """At most `max_bytes`; what was not asked for longest gives way."""

    name = "memory"
    there = True

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        """The value under this key."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[1] <= time.monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[0]

    async def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep the value."""
        self._drop(key)
        if len(value) + _AROUND > self._max_bytes:
            return
        self._kept[key] = (value, float("inf") if ttl_s is None else time.monotonic() + ttl_s)
        self._bytes += len(value) + _AROUND
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    async def delete(self, key: str) -> None:
        """Take one entry away."""
        self._drop(key)

    async def clear(self) -> None:
        """Take all away."""
        self._kept.clear()
        self._bytes = 0

    async def prune(self) -> int:
        """Take away what has expired."""
        now = time.monotonic()
        over = [key for key, (_, until) in self._kept.items() if until <= now]
        for key in over:
            self._drop(key)
        return len(over)

    async def size(self) -> CacheSize:
        """How much is kept."""
        return CacheSize(len(self._kept), self._bytes)

    async def aclose(self) -> None:
        """Forget all."""
        await self.clear()

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= len(found[0]) + _AROUND
