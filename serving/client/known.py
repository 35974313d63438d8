"""Owns what a client has learnt of its engine: its dialect, its models, their windows; each asked for once, when needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ...agents.model import ModelRequest
from ...runtime.errors import (
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    NotAnEngine,
    StreamBroken,
    UnknownModel,
)
from .connection import Connection, Refused
from .dialects.answers import error_text
from .dialects.dialect import Call, Dialect, EngineKind, Served
from .dialects.kinds import dialect_of, kind_of
from .refusals import no_api, no_model, no_room, refusal
from .transport.faults import Late

SMALLEST_WINDOW = 2048
"""A request of fewer bytes and tokens than this is sent without a look at the window."""
_TELLING_TOKENS = 100
_MOST_COUNTING_CALLS = 4


class Known:
    """What is known of the engine behind a connection."""

    def __init__(
        self,
        connection: Connection,
        *,
        model: str | None,
        kind: EngineKind | None,
        extra: Mapping[str, Any] | None,
    ) -> None:
        self._connection = connection
        self._default = model
        self._extra = extra
        self._dialect = dialect_of(kind, extra) if kind is not None else None
        self._listed: dict[str, Served] | None = None
        self._described: dict[str, Served] = {}
        self._bytes_a_token = 0.0
        self._asking = asyncio.Lock()
        self._counting = asyncio.Lock()

    async def target(self, model: str | None, deadline: float | None = None) -> tuple[Dialect, str]:
        """The dialect to speak, and the model to name. Raises `UnknownModel` where the list alone can tell."""
        model = model or self._default
        dialect = self._dialect
        # llama.cpp answers under any model name, so only its list can tell a wrong one.
        if self._listed is None and (dialect is None or model is None or dialect.kind == "llamacpp"):
            async with self._asking:
                if self._listed is None:
                    await self.names(deadline)
            dialect = self._dialect
        assert dialect is not None
        if model is None:
            if not self._listed:
                raise UnknownModel(
                    f"The engine at {self._connection.base_url} serves no model; start it with one."
                )
            model = next(iter(self._listed))
        if dialect.kind == "llamacpp" and self._listed is not None and model not in self._listed:
            raise no_model(self._connection.base_url, model, list(self._listed))
        return dialect, model

    async def names(self, deadline: float | None = None) -> list[str]:
        """Names of the models that the engine lists just now, the default first."""
        url = self._connection.base_url
        dialect = self._dialect or dialect_of("openai")
        call = dialect.listing()
        try:
            body = await self._connection.ask(call, deadline=deadline)
            if self._dialect is None:
                dialect = dialect_of(kind_of(body), self._extra)
                if dialect.listing() != call:
                    body = await self._connection.ask(dialect.listing(), deadline=deadline)
                self._dialect = dialect
        except Refused as refused:
            if refused.status in (404, 405):
                raise no_api(url, refused.status, refused.body) from None
            raise refusal(url, refused.status, refused.body, model="", request=None) from None
        self._listed = {served.name: served for served in dialect.listed(body)}
        names = list(self._listed)
        return [
            *([self._default] if self._default in names else []),
            *(n for n in names if n != self._default),
        ]

    async def served(self, model: str, deadline: float | None = None) -> Served:
        """What the engine tells of a model; what it refuses to tell stays unknown."""
        if model in self._described:
            return self._described[model]
        async with self._asking:
            if model in self._described:
                return self._described[model]
            if self._listed is None:
                try:
                    await self.names(deadline)
                except (EngineTimeout, EngineUnreachable, StreamBroken):
                    raise
                except EngineError:
                    self._listed = {}  # hosted servers need not list; the chat itself tells what is wrong
            served = (self._listed or {}).get(model) or Served(model)
            if self._dialect is not None:
                for call in self._dialect.describing(model):
                    served = await self._more(self._dialect, call, served, deadline)
            self._described[model] = served
            return served

    async def _more(self, dialect: Dialect, call: Call, served: Served, deadline: float | None) -> Served:
        try:
            return dialect.described(await self._connection.ask(call, deadline=deadline), served)
        except (EngineTimeout, EngineUnreachable, StreamBroken):
            raise
        except (Refused, EngineError):
            return served

    async def ask(self, call: Call, *, model: str, what: str) -> bytes:
        """The answer to a call for `what`, which not every engine can do. Raises `EngineError`."""
        try:
            return await self._connection.ask(call)
        except Refused as refused:
            error = await self.error_of(refused, model, None)
            if refused.status == 501 or isinstance(error, NotAnEngine):
                error = EngineError(
                    f"The engine at {self._connection.base_url} makes no {what} with {model} ({refused.status}: "
                    f"{error_text(refused.body)}); ask one that does."
                )
            raise error from None

    async def count(self, request: ModelRequest, model: str, deadline: float | None = None) -> int | None:
        """The tokens of a request's messages; None where the engine cannot count."""
        dialect, _ = await self.target(model, deadline)
        call = dialect.counting(request, model=model)
        for _ in range(_MOST_COUNTING_CALLS):
            if call is None:
                return None
            try:
                found = dialect.counted(await self._connection.ask(call, deadline=deadline))
            except Refused:
                return None
            if isinstance(found, int):
                return found
            call = found
        return None

    async def room(self, request: ModelRequest, model: str, size: int, deadline: float | None) -> None:
        """Raises `ContextTooLong`: prompt and reply do not fit. A body of `size` bytes is never more tokens than bytes;
        where that is not enough to know, what a token of this engine was so far, and last the engine's own tokenizer."""
        window = (await self.served(model, deadline)).context_tokens
        if window is None or size + request.max_tokens <= window:
            return
        if self._surely(request, size, window):
            return
        # While nothing is known, one at a time: what the first learns spares those the question who began with it.
        learning = nullcontext() if self._bytes_a_token else self._counting
        try:
            async with asyncio.timeout_at(deadline), learning:
                if self._surely(request, size, window):
                    return
                count = await self.count(request, model, deadline)
                self.saw(size, count or 0)
        except TimeoutError:
            raise self._connection.error_of(Late("waiting for a count of tokens")) from None
        if count is not None and count + request.max_tokens > window:
            raise no_room(model, count, request.max_tokens, window)

    def _surely(self, request: ModelRequest, size: int, window: int) -> bool:
        # Half of what a token has been at the least: should it be less still, the engine itself refuses.
        return self._bytes_a_token > 0 and 2 * size / self._bytes_a_token + request.max_tokens <= window

    def saw(self, size: int, prompt_tokens: int) -> None:
        """A body of `size` bytes was so many tokens to the engine."""
        if prompt_tokens >= _TELLING_TOKENS:
            found = size / prompt_tokens
            self._bytes_a_token = min(self._bytes_a_token or found, found)

    async def error_of(self, refused: Refused, model: str, request: ModelRequest | None) -> Exception:
        """The error that a refusal means."""
        url, status, body = self._connection.base_url, refused.status, refused.body
        if self._dialect is not None:
            own = self._dialect.refusal(status, body, model=model)
            if own is not None:
                return own
        if status not in (404, 405):
            return refusal(url, status, body, model=model, request=request)
        if self._listed is None:
            await self.names()
        served = self._listed or {}
        adapter = request.adapter if request is not None else None
        adapters = [name for one in served.values() for name in one.adapters]
        if adapter is not None and adapter not in adapters:
            return no_model(url, adapter, [*served, *adapters])
        if adapter is None and model not in served:
            return no_model(url, model, list(served))
        return no_api(url, status, body)
