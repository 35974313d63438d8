"""MemcachedStore: replies in Memcached, for any number of processes and machines.

Through pymemcache in threads: of the asyncio clients, emcache leaves timers behind when it is closed and takes up to a
minute to find a server that came back, and aiomcache has no more upkeep.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from ..store import CacheSize

T = TypeVar("T")

_PREFIX = "crewgraph:reply:"
_AGE = "crewgraph:reply-age"
_HEAD = struct.Struct(">Qd")
_THREADS = 4
_PATIENCE_S = 5.0
"""`Cached` waits less; this is for those who look into the store itself."""
_MAX_VALUE = 1_000_000
"""A server takes values below a mebibyte unless it is told otherwise."""
_LONGEST_TTL = 30 * 86400
"""More seconds than these mean a date to Memcached."""


class MemcachedStore:
    """Every value says in which age it was put, and until when it holds: Memcached can neither list keys nor take away
    only ours, so clearing begins a new age, and what is of an older one is not given any more.
    """

    there = True

    def __init__(self, host: str, port: int) -> None:
        self.name = f"memcached://{host}:{port}"
        self._client: Any = import_module("pymemcache.client.base").PooledClient(
            (host, port),
            max_pool_size=_THREADS,
            connect_timeout=_PATIENCE_S,
            timeout=_PATIENCE_S,
            no_delay=True,
        )
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="crewgraph-memcached")
        self._age = 0

    async def get(self, key: str) -> bytes | None:
        """The value under this key."""
        return await self._apart(partial(self._get, _PREFIX + key))

    async def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep the value; one that the server would not take is not kept."""
        if len(value) <= _MAX_VALUE:
            await self._apart(partial(self._put, _PREFIX + key, value, ttl_s))

    async def delete(self, key: str) -> None:
        """Take one entry away."""
        await self._apart(lambda: self._client.delete(_PREFIX + key, noreply=False))

    async def clear(self) -> None:
        """Begin a new age."""
        await self._apart(partial(self._begin, anew=True))

    async def prune(self) -> int:
        """Nothing to do: the server takes away what has expired."""
        return 0

    async def size(self) -> CacheSize:
        """Memcached cannot tell."""
        await self._apart(self._client.version)
        return CacheSize(None, None)

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    def _get(self, key: str) -> bytes | None:
        found = self._client.get_many([_AGE, key])
        age, value = found.get(_AGE), found.get(key)
        self._age = int(age) if age is not None else 0
        if age is None or value is None or len(value) < _HEAD.size:
            return None
        of, until = _HEAD.unpack_from(value)
        return None if of != self._age or until <= time.time() else bytes(value[_HEAD.size :])

    def _put(self, key: str, value: bytes, ttl_s: float | None) -> None:
        if not self._age:
            self._begin(anew=False)
        until, expire = float("inf"), 0
        if ttl_s is not None:
            until = time.time() + ttl_s
            expire = int(until) + 1 if ttl_s > _LONGEST_TTL - 1 else int(ttl_s) + 1
        self._client.set(key, _HEAD.pack(self._age, until) + value, expire=expire, noreply=False)

    def _begin(self, *, anew: bool) -> None:
        mine = str(time.time_ns())
        if anew:
            self._client.set(_AGE, mine, noreply=False)
        else:
            self._client.add(_AGE, mine, noreply=False)
        self._age = int(self._client.get(_AGE) or 0)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
