"""ReplyStore: where replies are kept, and `open_cache`, the way there by URL."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from ....runtime.errors import InvalidInput

MAX_BYTES = 256 * 2**20
"""How much a file or this process's memory keeps where nobody says otherwise."""
_KNOWN = "memory://, sqlite:///FILE, redis://HOST:6379/0 (also valkey://, rediss://, unix://) or memcached://HOST:11211"
_REDIS = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}


class CacheSize(NamedTuple):
    """How much a store keeps: entries, and their bytes; None where it cannot tell."""

    entries: int | None
    bytes: int | None


@runtime_checkable
class ReplyStore(Protocol):
    """Bytes under keys, for a time. Nothing is connected before the first use.

    Every method may raise `StoreError` or what the store's own client raises; `Cached` goes on without it. Safe for any
    number of tasks of one event loop.
    """

    name: str
    """What it is, for people; never with a password in it."""

    @property
    def there(self) -> bool:
        """Whether there is anything to look into: a file may not have been made yet."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value under this key; None where there is none, or its time is over."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep the value, for so many seconds, or until it has to give way to newer ones."""
        ...

    async def delete(self, key: str) -> None:
        """Take one entry away, if it is there."""
        ...

    async def clear(self) -> None:
        """Take all entries of crewgraph away, and nothing else."""
        ...

    async def prune(self) -> int:
        """Take away what has expired; how many entries that were. 0 for a server, which does so by itself."""
        ...

    async def size(self) -> CacheSize:
        """How much is kept."""
        ...

    async def aclose(self) -> None:
        """Write what is not yet written, and let go. May be called again; nothing else may be called after it."""
        ...


def default_cache(home: Path) -> Path:
    """The file in which replies are kept where nobody names a store."""
    return home / "replies.db"


def open_cache(where: str | Path, *, max_bytes: int = MAX_BYTES) -> ReplyStore:
    """The store that a path or URL names. `max_bytes` bounds a file or memory; servers have limits of their own.

    Raises:
        InvalidInput: the URL is none of those known, or the package that it needs is not installed.
    """
    if isinstance(where, Path) or "://" not in where:
        return _file(Path(where), max_bytes)
    url = urlsplit(where)
    if url.scheme == "memory":
        from .stores.memory import MemoryStore

        return MemoryStore(max_bytes)
    if url.scheme == "sqlite":
        path = unquote(url.path).removeprefix("/")  # as SQLAlchemy: three slashes, then the path
        if url.netloc or not path:
            raise InvalidInput(f"{where!r} names no file: write sqlite:///FILE, or sqlite:////FOLDER/FILE.")
        return _file(Path(path), max_bytes)
    if url.scheme in _REDIS:
        _need("redis", "Redis and Valkey")
        from .stores.redis import RedisStore

        return RedisStore(_REDIS[url.scheme] + where[len(url.scheme) :])
    if url.scheme == "memcached":
        _need("pymemcache", "Memcached")
        from .stores.memcached import MemcachedStore

        try:
            return MemcachedStore(url.hostname or "127.0.0.1", url.port or 11211)
        except ValueError:
            raise InvalidInput(f"{where!r} has no port that can be: write memcached://HOST:11211.") from None
    raise InvalidInput(f"{url.scheme}:// is no store for replies: name {_KNOWN}.")


def _file(path: Path, max_bytes: int) -> ReplyStore:
    from .stores.sqlite import SqliteStore

    return SqliteStore(path.expanduser(), max_bytes)


def _need(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise InvalidInput(f"Replies in {what} need the package {package}: pip install crewgraph[cache].")
