"""Owns `Hedged`: a second request beside one that is slow to begin; the first answer wins."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from ....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest
from ....agents.wrapping import Wrapping

T = TypeVar("T")
_Opened = tuple[AsyncGenerator[ModelDelta, None], ModelDelta | None]

_KEPT = 200
_ENOUGH = 20


class Hedged(Wrapping):
    """Sends a request to `second` as well when `inner` has not begun to answer after `after_s` seconds.

    `after_s` None is the time below which 95 of the last 100 began, known after twenty. `second` None is `inner`
    again; for a router, its `second` takes another replica. The first answer is taken and the other request is
    cancelled. At most the share `most` of requests is doubled ("The Tail at Scale", Dean and Barroso, 2013), so that an
    engine which is slow because it is full does not get twice the work. One that fails is no answer while the other
    is under way.
    """

    def __init__(
        self,
        inner: ModelClient,
        second: ModelClient | None = None,
        *,
        after_s: float | None = None,
        most: float = 0.1,
    ) -> None:
        super().__init__(inner)
        self._second = second or inner
        self._after_s = after_s
        self._most = most
        self._credit = 1.0
        self._wholes: deque[float] = deque(maxlen=_KEPT)
        self._begins: deque[float] = deque(maxlen=_KEPT)
        self.hedged = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply that is whole first."""

        async def drop(_: ModelReply) -> None:
            """Nothing is open."""

        return await self._race(
            lambda: self.inner.complete(request), lambda: self._second.complete(request), drop, self._wholes
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The stream that begins first."""
        pieces, first = await self._race(
            lambda: _open(self.inner, request), lambda: _open(self._second, request), _drop, self._begins
        )
        async with aclosing(pieces):
            if first is not None:
                yield first
                async for delta in pieces:
                    yield delta

    async def aclose(self) -> None:
        """Close both clients."""
        await self.inner.aclose()
        if self._second is not self.inner:
            await self._second.aclose()

    async def _race(
        self,
        first: Callable[[], Coroutine[Any, Any, T]],
        second: Callable[[], Coroutine[Any, Any, T]],
        drop: Callable[[T], Awaitable[None]],
        times: deque[float],
    ) -> T:
        after_s = self._delay(times)
        self._credit = min(self._credit + self._most, 10.0)
        if after_s is None:
            return await self._timed(first(), times)
        tasks = [asyncio.ensure_future(self._timed(first(), times))]
        won: asyncio.Task[T] | None = None
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not tasks[0].done() and self._credit >= 1.0:
                self._credit -= 1.0
                self.hedged += 1
                tasks.append(asyncio.ensure_future(second()))
            won = await _first_good(tasks)
            return won.result()
        finally:
            for task in tasks:
                if task is not won:
                    task.cancel()
            for task in tasks:
                if task is not won:
                    await asyncio.gather(task, return_exceptions=True)
                    if not task.cancelled() and task.exception() is None:
                        await drop(task.result())  # both answered in the same moment

    async def _timed(self, work: Coroutine[Any, Any, T], times: deque[float]) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await work
        times.append(loop.time() - began)
        return result

    def _delay(self, times: deque[float]) -> float | None:
        if self._after_s is not None:
            return self._after_s
        if len(times) < _ENOUGH:
            return None
        return sorted(times)[int(0.95 * len(times))]


async def _first_good(tasks: list[asyncio.Task[T]]) -> asyncio.Task[T]:
    """The first of them with a result; where none has one, the first of all."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and not task.cancelled() and task.exception() is None:
                return task
    return tasks[0]


async def _open(client: ModelClient, request: ModelRequest) -> _Opened:
    """A stream that has begun, and its first piece."""
    pieces = client.stream(request)
    try:
        return pieces, await anext(pieces, None)
    except BaseException:
        await pieces.aclose()
        raise


async def _drop(opened: _Opened) -> None:
    await opened[0].aclose()
