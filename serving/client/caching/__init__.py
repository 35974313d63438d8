"""Replies that are kept: `Cached` stands before a `ModelClient`, and makes no call whose reply it has.

Names are loaded when they are used: Redis, Memcached and Qdrant come in only where they are meant.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cached import Cached
    from .semantic import Semantic
    from .store import CacheSize, ReplyStore, open_cache
    from .tally import Tally

__all__ = ["CacheSize", "Cached", "ReplyStore", "Semantic", "Tally", "open_cache"]

_HOMES = {"Cached": "cached", "Semantic": "semantic", "Tally": "tally"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'store')}"), name)
