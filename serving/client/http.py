"""Owns `HttpModelClient`: a `ModelClient` over any model engine that speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ...runtime.errors import EngineError, ModelError, NotAnEngine, ReplyTruncated, StreamBroken
from .answers.forms.checks import Forms
from .connection import ATTEMPTS, Connection, Refused
from .dialects.dialect import Call, Dialect, EngineKind, Reading, Served
from .known import SMALLEST_WINDOW, Known
from .transport.faults import Fault
from .transport.wire import Wire

_NO_PAGE = (401, 403, 404, 405, 501)


class HttpModelClient(ModelClient):
    """Speaks to one server; safe to share among any number of tasks of one event loop.

    `base_url` ends in ``/v1`` (added where the URL has no path). `model` is asked for when a request names none; None
    means the first that the server lists. `engine_kind` is found out from the server when not given. `read_timeout_s`
    bounds the silence between two pieces of an answer; a request's own `timeout_s` bounds the whole of it. `attempts` is
    how often a request is sent at most before its answer begins. `extra` are body fields that go with every chat request.

    Raises the kinds of `EngineError` and `InvalidRequest`; see `runtime.errors`. A constrained reply that was cut off is
    `ReplyTruncated` and not asked for again here. Silence before an answer is `EngineUnreachable`, in its middle
    `StreamBroken`; `EngineTimeout` is only the request's own time.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        engine_kind: EngineKind | None = None,
        read_timeout_s: float = 600.0,
        attempts: int = ATTEMPTS,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        url = base_url.rstrip("/")
        if not urlsplit(url).path:
            url += "/v1"
        self.base_url = url
        self._connection = Connection(
            url, api_key=api_key, read_timeout_s=read_timeout_s, attempts=max(1, attempts)
        )
        self._known = Known(self._connection, model=model, kind=engine_kind, extra=extra)
        self._forms = Forms()

    async def __aenter__(self) -> HttpModelClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole reply to one request."""
        begun = await self._begin(request, stream=False)
        wire = begun.wire
        try:
            body = await wire.body()
        except Fault as error:
            raise self._connection.error_of(error) from error
        finally:
            wire.leave()
        reply = begun.dialect.reply(body, request)
        self._known.saw(begun.size, reply.usage.prompt_tokens)
        return self._checked(request, reply, begun.model)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written; the last delta has no text of its own and carries the whole reply.

        Pieces of a constrained reply are passed on as they come and checked at the end: an error then says that what was
        shown cannot be used. A choice comes in one piece.
        """
        begun = await self._begin(request, stream=True)
        wire, held = begun.wire, bool(request.choices)
        pieces: list[str] = []
        try:
            while text := await wire.text():
                pieces.append(text)
                if not held:
                    yield ModelDelta(text)
        except Fault as error:
            raise self._connection.error_of(error) from error
        finally:
            wire.leave()
        reply = self._streamed(begun, "".join(pieces))
        self._checked(request, reply, begun.model)
        if held and reply.text:
            yield ModelDelta(reply.text)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        """Names of the models that the server lists; the first is the default."""
        return await self._known.names()

    async def kind(self) -> EngineKind:
        """Which engine it is. Raises `EngineError`: it does not answer."""
        return (await self._known.target(None))[0].kind

    async def served(self, model: str | None = None) -> Served:
        """What the engine tells of a model: its window, its adapters, whether its template takes tools."""
        _, name = await self._known.target(model)
        return await self._known.served(name)

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """A vector for each text. Raises `EngineError`: this engine or model makes none."""
        dialect, name = await self._known.target(model)
        call = dialect.embedding(texts, model=name)
        if call is None:
            raise EngineError(f"The engine at {self.base_url} makes no embeddings; ask one that does.")
        made = dialect.embedded(await self._known.ask(call, model=name, what="embeddings"))
        if len(made.vectors) != len(texts):
            raise ModelError(
                f"The engine at {self.base_url} gave {len(made.vectors)} vectors for {len(texts)} texts."
            )
        return made

    async def count_tokens(self, request: ModelRequest) -> int:
        """How many tokens the request's messages are to the engine, with its chat template."""
        _, model = await self._known.target(request.model)
        count = await self._known.count(request, model)
        if count is None:
            raise EngineError(f"The engine at {self.base_url} cannot count tokens.")
        return count

    async def context_tokens(self, model: str | None = None) -> int | None:
        """How many tokens prompt and reply may have together, where the engine tells it; else None."""
        return (await self.served(model)).context_tokens

    async def aclose(self) -> None:
        """Close every connection; the client cannot be used afterwards."""
        await self._connection.aclose()

    async def metrics(self) -> str:
        """The engine's own page of figures, as Prometheus reads it; "" where it has none."""
        try:
            page = await self._connection.ask(Call("/metrics", at_root=True))
        except Refused as refused:
            if refused.status in _NO_PAGE:
                return ""
            raise EngineError(
                f"The engine at {self.base_url} does not give its metrics ({refused.status})."
            ) from None
        return page.decode("utf-8", "replace")

    async def _begin(self, request: ModelRequest, *, stream: bool) -> _Begun:
        if request.tools or request.constrained:
            self._forms.check(request)
        deadline = None
        if request.timeout_s is not None:
            deadline = asyncio.get_running_loop().time() + request.timeout_s
        known = self._known
        dialect, model = await known.target(request.model, deadline)
        served = await known.served(model, deadline) if request.adapter is not None else None
        learnt = False
        while True:
            call = dialect.chat(request, model=model, stream=stream, served=served)
            size = len(call.body or b"")
            if size + request.max_tokens > SMALLEST_WINDOW:
                await known.room(request, model, size, deadline)
            reading = dialect.reading(request) if stream else None
            try:
                wire = await self._connection.begin(call, reader=reading, deadline=deadline)
            except Refused as refused:
                if learnt or not dialect.learns(refused.status, refused.body):
                    raise await known.error_of(refused, model, request) from None
                learnt = True
            else:
                return _Begun(wire, dialect, model, reading, size)

    def _checked(self, request: ModelRequest, reply: ModelReply, model: str) -> ModelReply:
        if not request.constrained:
            return reply
        if problem := self._forms.cut_off(request, reply):
            raise ReplyTruncated(f"The reply of {model} cannot be used: {problem}; raise max_tokens.", reply)
        if problem := self._forms.fault(request, reply.text):
            raise ModelError(
                f"The reply of {model} cannot be used: {problem}; ask again, or loosen the constraint."
            )
        return reply

    def _streamed(self, begun: _Begun, text: str) -> ModelReply:
        reading = begun.reading
        assert reading is not None
        if not reading.done:
            kind = begun.wire.header("Content-Type")
            if not text and "event-stream" not in kind:
                raise NotAnEngine(f"The server at {self.base_url} streams no reply ({kind}); check the URL.")
            raise StreamBroken(
                f"The engine at {self.base_url} broke off in the middle of its answer; look into its log."
            )
        self._known.saw(begun.size, reading.usage.prompt_tokens)
        reply = ModelReply(text, reading.finish_reason or "stop", reading.usage, reading.model or begun.model)
        try:
            calls = reading.tool_calls()
        except ReplyTruncated as error:
            error.reply = reply
            raise
        return replace(reply, tool_calls=calls) if calls else reply


class _Begun(NamedTuple):
    """An answer that has begun; `size` is how many bytes were asked."""

    wire: Wire
    dialect: Dialect
    model: str
    reading: Reading | None
    size: int
