"""Owns `Priced`: a model client whose replies say what they cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ...agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest
from ...agents.wrapping import Wrapping
from ..settings import Price


class Priced(Wrapping):
    """Adds to each reply's usage what it costs at this price."""

    def __init__(self, inner: ModelClient, price: Price) -> None:
        super().__init__(inner)
        self._price = price

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply, with its price."""
        return self._priced(await self.inner.complete(request))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The stream; the whole reply at its end has its price."""
        async with aclosing(self.inner.stream(request)) as deltas:
            async for delta in deltas:
                yield delta if delta.reply is None else replace(delta, reply=self._priced(delta.reply))

    def _priced(self, reply: ModelReply) -> ModelReply:
        return replace(reply, usage=replace(reply.usage, money=self._price.of(reply.usage)))
