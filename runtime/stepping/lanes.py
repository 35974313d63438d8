"""Lanes: how many steps of one kind go on at once, of one tool or of one engine, over one run or over many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager


class Lanes:
    """Named limits. A step that names a full lane waits, first come first served, before it is journalled.

    `limits` are the author's (``{"tool:search": 4, "engine:default": 8}``). What a step says of its own lane
    counts only where they say nothing. Give one `Lanes` to many runs, and they share the places.
    """

    __slots__ = ("_limits", "_places")

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._limits = dict(limits or {})
        self._places: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def hold(self, wanted: Mapping[str, int | None]) -> AsyncIterator[None]:
        """Hold a place in each of these lanes (with the limit that the step itself proposes, or None)."""
        async with AsyncExitStack() as held:
            for name in sorted(wanted):  # one order for all, or two steps could wait for each other
                limit = self._limits.get(name, wanted[name])
                if limit is not None:
                    places = self._places.get(name)
                    if places is None:
                        places = self._places[name] = asyncio.Semaphore(limit)
                    await held.enter_async_context(places)
            yield
