"""Owns `Once`: what is opened by the first who needs it, and closed with everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Opened by the first `get`, for all; `value` is None until then.

    The opening is a task of its own: who waits for it may leave (a call whose time is over) without breaking it off, for
    an engine that takes longer than any call may wait would never be up. One that failed is tried anew by the next `get`.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self.value: T | None = None
        self._opening = opening
        self._stack = AsyncExitStack()
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """It, opened. Raises what opening it raised."""
        if self.value is not None:
            return self.value
        if self._task is None:
            self._task = asyncio.create_task(self._open())
        return await asyncio.shield(self._task)

    async def aclose(self) -> None:
        """Close it; one that is still being opened is broken off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.value = None
        await self._stack.aclose()

    async def _open(self) -> T:
        try:
            self.value = await self._stack.enter_async_context(self._opening())
            return self.value
        finally:
            self._task = None
