"""RedisStore: replies in Redis or Valkey, for any number of processes and machines."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis

from ..store import CacheSize

_PREFIX = "crewgraph:reply:"
_AT_ONCE = 1000
_PATIENCE_S = 5.0
"""`Cached` waits less; this is for those who look into the store itself."""
_CONNECTIONS = 16
"""More calls at once than these wait for each other; without this bound the 101st would fail."""


class RedisStore:
    """Each entry is a key of its own. How much may be kept is the server's `maxmemory`."""

    there = True

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.name = (
            f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        )
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_PATIENCE_S,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
        )
        self._redis: Any = Redis.from_pool(pool)

    async def get(self, key: str) -> bytes | None:
        """The value under this key."""
        found: bytes | None = await self._redis.get(_PREFIX + key)
        return found

    async def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep the value."""
        await self._redis.set(_PREFIX + key, value, px=None if ttl_s is None else max(1, int(ttl_s * 1000)))

    async def delete(self, key: str) -> None:
        """Take one entry away."""
        await self._redis.unlink(_PREFIX + key)

    async def clear(self) -> None:
        """Take all entries with our prefix away."""
        found: list[bytes] = []
        async for key in self._redis.scan_iter(match=_PREFIX + "*", count=_AT_ONCE):
            found.append(key)
            if len(found) >= _AT_ONCE:
                await self._redis.unlink(*found)
                found.clear()
        if found:
            await self._redis.unlink(*found)

    async def prune(self) -> int:
        """Nothing to do: the server takes away what has expired."""
        return 0

    async def size(self) -> CacheSize:
        """How many entries with our prefix there are; the server is walked through for it."""
        count = 0
        async for _ in self._redis.scan_iter(match=_PREFIX + "*", count=_AT_ONCE):
            count += 1
        return CacheSize(count, None)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
