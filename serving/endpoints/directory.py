"""Owns `Directory`: one model client over all engines that there are, each call on its way by the model it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from ...agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ...runtime.errors import EngineTimeout
from ..client.routing import Deadline, Fallback, Limited, Rate
from .engine import Engine
from .file import OTHERS, ModelsFile, ModelTable, RateTable
from .listing import Listing
from .one_model import OneModel

_NO_TABLE = ModelTable()
_MOST_NAMES = 1000


class Directory(ModelClient):
    """Finds for each request the engines that serve its model, and the way to them.

    A way is: a time limit, then the model and those to fall back on, each with its limits and the engines that serve it.
    Nothing is asked or opened before the first call that needs it. Closing it closes the engines' clients.
    """

    def __init__(self, file: ModelsFile, engines: Sequence[Engine]) -> None:
        self._file = file
        self._listing = Listing(engines)
        self._links: dict[str | None, tuple[ModelClient, OneModel]] = {}
        self._ways: dict[str | None, ModelClient] = {}
        self._tenants = _rates(file.tenant)
        self._default = file.default
        # Where there is one engine, it knows its own; a name is needed where something may be said of it.
        self._nameless = file.default is None and len(engines) == 1 and not file.model
        chains = ((name, *table.fallback) for name, table in file.model.items())
        self._hurried = {name for chain in chains for name in chain[:-1]}

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of an engine that serves the request's model. Raises `UnknownModel`: none does."""
        if request.model is None and not self._nameless:
            request = await self._named(request)
        return await self._way(request.model).complete(request)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written."""
        if request.model is None and not self._nameless:
            if self._default is None:
                return self._stream_named(request)
            request = replace(request, model=self._default)
        return self._way(request.model).stream(request)

    async def models(self) -> list[str]:
        """What all engines serve, the default first; engines that do not answer are left out, where one does."""
        listed = await self._listing.now()
        names = list(dict.fromkeys(name for found in listed.values() for name in found))
        default = self._default
        return [default, *(n for n in names if n != default)] if default in names else names

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """Vectors, from an engine that serves this model."""
        model = model or await self._name()
        return await self._way(model).embed(texts, model=model)

    async def count_tokens(self, request: ModelRequest) -> int:
        """A count, by the tokenizer of an engine that serves the request's model."""
        if request.model is None:
            request = replace(request, model=await self._name())
        return await self._way(request.model).count_tokens(request)

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The model's window, where its engine tells."""
        model = model or await self._name()
        return await self._way(model).context_tokens(model)

    async def aclose(self) -> None:
        """Close the engines' clients."""
        await self._listing.aclose()
        for _, model in self._links.values():
            await model.aclose()
        await asyncio.gather(*(engine.aclose() for engine in self._listing.engines.values()))

    async def _stream_named(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        request = await self._named(request)
        async with aclosing(self._way(request.model).stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def _named(self, request: ModelRequest) -> ModelRequest:
        """The request with the name of the default model, in its time."""
        if self._default is not None:
            return replace(request, model=self._default)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(request.timeout_s):
                name = await self._name()
        except TimeoutError:
            raise EngineTimeout(
                f"No engine said what it serves within the {request.timeout_s:g} s that the call had; give it more time."
            ) from None
        left = None if request.timeout_s is None else request.timeout_s - (loop.time() - began)
        return replace(request, model=name, timeout_s=left)

    async def _name(self) -> str | None:
        """The model of those who name none; None where the only engine is to know it."""
        if self._default is None and not self._nameless:
            names = await self.models()
            self._default = names[0] if names else None
        return self._default

    def _way(self, model: str | None) -> ModelClient:
        way = self._ways.get(model)
        if way is None:
            self._forget()
            table = self._table(model)
            others = [name for name in table.fallback if name != model]
            client = self._link(model)
            if others:
                client = Fallback([(client, None), *((self._link(name), name) for name in others)])
            way = self._ways[model] = Deadline(client, table.timeout_s)
        return way

    def _link(self, model: str | None) -> ModelClient:
        """One model with its limits, the same in all chains that it stands in."""
        known = self._links.get(model)
        if known is not None:
            return known[0]
        table = self._table(model)
        one = OneModel(model, table, self._listing, hurried=bool(table.fallback) or model in self._hurried)
        client: ModelClient = one
        rate = _rate(table)
        if rate is not None or self._tenants:
            client = Limited(client, model=rate or Rate(), tenant=self._tenants)
        self._links[model] = client, one
        return client

    def _table(self, model: str | None) -> ModelTable:
        tables = self._file.model
        return tables.get(model or "") or tables.get(OTHERS) or _NO_TABLE

    def _forget(self) -> None:
        """Callers may name what they like: names that nobody serves are not kept for ever."""
        if len(self._ways) > _MOST_NAMES:
            self._ways.clear()
            self._links = {name: link for name, link in self._links.items() if link[1].found}


def _rates(tables: Mapping[str, RateTable]) -> dict[str, Rate]:
    rates = {"" if name == OTHERS else name: _rate(table) for name, table in tables.items()}
    return {name: rate for name, rate in rates.items() if rate is not None}


def _rate(table: RateTable) -> Rate | None:
    if table.requests_per_minute is None and table.tokens_per_minute is None:
        return None
    return Rate(table.requests_per_minute, table.tokens_per_minute)
