"""Owns `Deadline`: the seconds that one call may take, however often and wherever it is tried below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ....agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ....agents.wrapping import Wrapping
from ....runtime.errors import EngineTimeout
from .breaking import Breakable


class Deadline(Wrapping):
    """Ends a call of `inner` with `EngineTimeout` when its `timeout_s` is over, or `default_s` where it names none.

    Ending it closes the stream below, which is what tells an engine to stop. A reader that holds a piece when the time
    is over learns it when asking for the next.
    """

    def __init__(self, inner: ModelClient, default_s: float | None = None) -> None:
        super().__init__(inner)
        self._default_s = default_s

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The inner client's reply, in time."""
        seconds = self._seconds(request.timeout_s)
        if seconds is None:
            return await self.inner.complete(request)
        wait, timer = _until(seconds)
        try:
            with wait:
                return await self.inner.complete(request)
        finally:
            timer.cancel()

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The inner client's stream, whole in time."""
        seconds = self._seconds(request.timeout_s)
        return self.inner.stream(request) if seconds is None else self._in_time(request, seconds)

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """The inner client's vectors, within `default_s`."""
        if self._default_s is None:
            return await self.inner.embed(texts, model=model)
        wait, timer = _until(self._default_s)
        try:
            with wait:
                return await self.inner.embed(texts, model=model)
        finally:
            timer.cancel()

    async def _in_time(self, request: ModelRequest, seconds: float) -> AsyncGenerator[ModelDelta, None]:
        wait, timer = _until(seconds)
        try:
            async with aclosing(self.inner.stream(request)) as pieces:
                while True:
                    with wait:
                        delta = await anext(pieces, _END)
                    if delta is _END:
                        return
                    yield delta
        finally:
            timer.cancel()

    def _seconds(self, asked_s: float | None) -> float | None:
        return self._default_s if asked_s is None else asked_s


_END = ModelDelta("")


def _until(seconds: float) -> tuple[Breakable, asyncio.TimerHandle]:
    wait = Breakable()
    late = EngineTimeout(
        f"The reply was not whole after the {seconds:g} s that the call had; the engine has been told to stop. "
        "Give it more time (timeout_s), or ask for fewer tokens."
    )
    return wait, asyncio.get_running_loop().call_later(seconds, wait.break_off, late)
