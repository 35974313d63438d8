"""Owns `Limited`: requests and tokens a minute, for each model and each tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from .....agents.model import ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
from .....agents.wrapping import Wrapping
from .....runtime.errors import EngineBusy
from .bucket import Rate
from .line import Line

_NO_RATE = Rate()
_MOST_LINES = 100
_BYTES_A_TOKEN = 4


class Limited(Wrapping):
    """Lets a request through when the limits of its model, and of its tenant on that model, have room for it.

    `model` and `tenant` are a `Rate` for each, or rates by name, of which "" is that of all others (for models: also of
    requests that name none). A request waits its turn: first come, first served within a tenant (`hints.tenant`), equal
    shares among tenants. If it has to wait longer than `wait_s`, or than its own `timeout_s`, it fails with
    `EngineBusy`, whose `retry_after_s` is a time at which there may be room; at once, where that can be told.

    It is counted with a quarter of its prompt's bytes and its `max_tokens` until its real usage is known; what came out
    of a cache is not counted. A bucket holds a minute's worth: after an idle minute so much may go at once.
    """

    def __init__(
        self,
        inner: ModelClient,
        *,
        model: Rate | Mapping[str, Rate] = _NO_RATE,
        tenant: Rate | Mapping[str, Rate] = _NO_RATE,
        wait_s: float = 30.0,
    ) -> None:
        super().__init__(inner)
        self._model = model
        self._tenant = tenant
        self._wait_s = wait_s
        self._lines: dict[str, Line] = {}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The inner client's reply, in its turn."""
        line, tenant, tokens = await self._turn(request)
        used: float = 0
        try:
            reply = await self.inner.complete(request)
            used = _real(reply.usage)
            return reply
        finally:
            line.give_back(tenant, 0, tokens - used)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The inner client's stream, in its turn. One that is left or breaks off is counted by its pieces."""
        line, tenant, tokens = await self._turn(request)
        used: float = 0
        try:
            async with aclosing(self.inner.stream(request)) as pieces:
                async for delta in pieces:
                    used = (used or _prompt(request)) + 1
                    if delta.reply is not None:
                        used = _real(delta.reply.usage)
                    yield delta
        finally:
            line.give_back(tenant, 0, tokens - used)

    async def _turn(self, request: ModelRequest) -> tuple[Line, str, float]:
        tenant = request.hints.tenant if request.hints else ""
        tokens = float(_prompt(request) + request.max_tokens)
        line = self._line(request.model or "")
        wait_s = self._wait_s if request.timeout_s is None else min(self._wait_s, request.timeout_s)
        least_s = line.earliest(tenant, tokens)
        if least_s > wait_s:
            raise _busy(request.model, tenant, least_s)
        try:
            async with asyncio.timeout(wait_s):
                await line.turn(tenant, tokens)
        except TimeoutError:
            raise _busy(request.model, tenant, max(line.earliest(tenant, tokens), 1.0)) from None
        return line, tenant, tokens

    def _line(self, model: str) -> Line:
        if model not in self._lines:
            if len(self._lines) >= _MOST_LINES:
                self._lines = {name: line for name, line in self._lines.items() if not line.idle()}
            self._lines[model] = Line(_rate(self._model, model), lambda name: _rate(self._tenant, name))
        return self._lines[model]


def _rate(rates: Rate | Mapping[str, Rate], name: str) -> Rate:
    if isinstance(rates, Rate):
        return rates
    return rates.get(name) or rates.get("", _NO_RATE)


def _prompt(request: ModelRequest) -> int:
    """The tokens of a prompt, guessed from its bytes."""
    size = sum(len(message.content.encode()) for message in request.messages)
    return -(-size // _BYTES_A_TOKEN)


def _real(usage: Usage) -> int:
    return usage.total_tokens


def _busy(model: str | None, tenant: str, after_s: float) -> EngineBusy:
    whose = f" of tenant {tenant!r}" if tenant else ""
    return EngineBusy(
        f"The limit{whose} for {model or 'the model'} is used up; try again in {after_s:.0f} s, "
        "or have the limit raised.",
        after_s,
    )
