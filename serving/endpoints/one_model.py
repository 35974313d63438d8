"""Owns `OneModel`: one model, wherever it is served: found at the first call, and again when the engines change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import TypeVar

from ...agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ...runtime.errors import EngineError, UnknownModel
from ..client.answers import PLAIN, Checked, Shape, shape_of
from ..client.routing import Hedged, Patience, Replica, Routed
from .engine import Engine
from .file import ModelTable
from .listing import FIRST_S, Listing

T = TypeVar("T")


class OneModel(ModelClient):
    """A `ModelClient` over all engines that serve `model`, by its table; None is what the only engine serves.

    Replies have their form, and a slow call gets a second one beside it where the table says so. Where no engine is
    known to serve it and some are silent, these are tried: one of them may. With `hurried`, another model stands by,
    and the engines are not tried for as long.

    Raises `UnknownModel`: all engines were heard, and none serves it.
    """

    def __init__(
        self, model: str | None, table: ModelTable, listing: Listing, *, hurried: bool = False
    ) -> None:
        self._model = model
        self._table = table
        self._listing = listing
        self._hurried = hurried
        self._finding = asyncio.Lock()
        self._client: ModelClient | None = None
        self._version = -1
        self._routed: Routed | None = None
        self._in_hurry = False
        self._over: list[Routed] = []

    @property
    def found(self) -> bool:
        """Whether an engine was found that may serve it."""
        return self._client is not None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of an engine that serves it."""
        return await (self._ready() or await self._find()).complete(request)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written."""
        client = self._ready()
        return self._stream(request) if client is None else client.stream(request)

    async def models(self) -> list[str]:
        """What its engines serve."""
        return await (self._ready() or await self._find()).models()

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """Vectors, from an engine that serves it."""
        return await (self._ready() or await self._find()).embed(texts, model=model)

    async def count_tokens(self, request: ModelRequest) -> int:
        """A count by the tokenizer of an engine that serves it."""
        return await (self._ready() or await self._find()).count_tokens(request)

    async def context_tokens(self, model: str | None = None) -> int | None:
        """Its window, where an engine tells."""
        return await (self._ready() or await self._find()).context_tokens(model)

    async def aclose(self) -> None:
        """Let go of the routers, and close the clients of their engines."""
        for routed in [*self._over, *([self._routed] if self._routed else [])]:
            await routed.aclose()

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        client = await self._find()
        async with aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    def _ready(self) -> ModelClient | None:
        listing = self._listing
        if listing.silent:
            listing.look_again()
        return self._client if self._version == listing.version else None

    async def _find(self) -> ModelClient:
        async with self._finding:
            while (client := self._ready()) is None:
                engines = await self._serving()
                version = self._listing.version
                self._client = await self._over_engines(engines)
                self._version = version
            return client

    async def _serving(self) -> list[Engine]:
        listing, all_engines = self._listing, self._listing.engines
        named = self._table.engines or (tuple(all_engines) if len(all_engines) == 1 else ())
        if named or self._model is None:
            await listing.hear(named)  # for the shape of schemas
            return [all_engines[name] for name in named or all_engines]
        await listing.hear(all_engines)
        unheard = [name for name in all_engines if name in listing.silent and name not in listing.names]
        found = self._listed() or unheard
        if not found:
            await listing.now()  # it may have been brought there since
            found = self._listed()
        if not found:
            there = dict.fromkeys(name for engine in all_engines for name in listing.names.get(engine, ()))
            raise UnknownModel(
                f"No engine serves a model {self._model!r}; there are: {', '.join(there) or 'none'}. "
                "Name one of these, or none."
            )
        return [all_engines[name] for name in found]

    def _listed(self) -> list[str]:
        names = self._listing.names
        return [name for name in self._listing.engines if self._model in names.get(name, ())]

    async def _over_engines(self, engines: Sequence[Engine]) -> ModelClient:
        opened = await asyncio.gather(*(_or_error(engine.replica()) for engine in engines))
        replicas = [replica for replica in opened if not isinstance(replica, EngineError)]
        if not replicas:
            raise next(error for error in opened if isinstance(error, EngineError))
        # An engine that was never heard of is more likely not there at all than away for a moment.
        hurried = self._hurried or all(engine.name in self._listing.silent for engine in engines)
        if self._routed is None or (self._routed.replicas, self._in_hurry) != (tuple(replicas), hurried):
            if self._routed is not None:
                self._over.append(self._routed)
            self._routed, self._in_hurry = self._router(replicas, hurried), hurried
        routed: ModelClient = self._routed
        if self._table.hedge_after_s is not None:
            routed = Hedged(routed, self._routed.second, after_s=self._table.hedge_after_s)
        native = await asyncio.gather(*(self._native(engine) for engine in engines))
        return Checked(routed, native_tools=all(native), shape=_shape(engines))

    def _router(self, replicas: Sequence[Replica], hurried: bool) -> Routed:
        patience = Patience(attempts=2 * len(replicas), wait_s=1.0) if hurried else None
        return Routed(replicas, policy=self._table.spread, patience=patience)

    async def _native(self, engine: Engine) -> bool:
        if engine.table.native_tools is None and engine.name in self._listing.silent:
            return False
        try:
            async with asyncio.timeout(FIRST_S):
                return await engine.native_tools(self._model)
        except (EngineError, TimeoutError):
            return False


def _shape(engines: Sequence[Engine]) -> Shape:
    """The form in which schemas go to these engines: one that all of them take."""
    kinds = {engine.kind for engine in engines}
    kind = kinds.pop() if len(kinds) == 1 else None
    return PLAIN if kind is None else shape_of(kind)


async def _or_error(work: Awaitable[T]) -> T | EngineError:
    try:
        return await work
    except EngineError as error:
        return error
