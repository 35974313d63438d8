"""Owns `Directory`: one model client over all engines that there are, each call on its way by the model it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...agents.model import Embeddings, ModelClient, ModelDelta, ModelReply, ModelRequest
from ...runtime.errors import EngineError, UnknownModel
from ..client.answers import PLAIN, Checked, Shape, shape_of
from ..client.routing import Deadline, Fallback, Hedged, Routed
from .file import ModelsFile, ModelTable

if TYPE_CHECKING:
    from ..client.dialects.dialect import EngineKind
    from ..client.http import HttpModelClient
    from ..client.routing import Replica

_NO_TABLE = ModelTable()


@dataclass(frozen=True)
class Engine:
    """One engine: its client, and the same as a router sees it (priced, watched)."""

    name: str
    client: HttpModelClient
    replica: Replica


class Directory(ModelClient):
    """Finds for each request the engines that serve its model, and the way to them; asked for once for each model.

    A way is: a time limit, then a chain of models to fall back on, then for each the form of replies, a second call
    beside a slow one, and a router over its engines. Closing it closes the engines' clients.
    """

    def __init__(self, file: ModelsFile, engines: Sequence[Engine]) -> None:
        self._file = file
        self._engines = {engine.name: engine for engine in engines}
        self._ways: dict[str | None, ModelClient] = {}
        self._first: str | None = None
        self._finding = asyncio.Lock()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The reply of an engine that serves the request's model. Raises `UnknownModel`: none does."""
        request, way = await self._asked(request)
        return await way.complete(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The reply as it is written."""
        request, way = await self._asked(request)
        async with aclosing(way.stream(request)) as deltas:
            async for delta in deltas:
                yield delta

    async def models(self) -> list[str]:
        """What all engines serve, the default first; engines that do not answer are left out, where one does."""
        listed = await self._listed()
        names = list(dict.fromkeys(name for found in listed.values() for name in found))
        default = self._file.default
        return [default, *(n for n in names if n != default)] if default in names else names

    async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
        """Vectors, from an engine that serves this model."""
        model = model or await self._default()
        return await (await self._way(model)).embed(texts, model=model)

    async def count_tokens(self, request: ModelRequest) -> int:
        """A count, by the tokenizer of an engine that serves the request's model."""
        request, way = await self._asked(request)
        return await way.count_tokens(request)

    async def context_tokens(self, model: str | None = None) -> int | None:
        """The model's window, where its engine tells."""
        model = model or await self._default()
        return await (await self._way(model)).context_tokens(model)

    async def aclose(self) -> None:
        """Close the engines' clients."""
        await asyncio.gather(*(engine.replica.client.aclose() for engine in self._engines.values()))

    async def _asked(self, request: ModelRequest) -> tuple[ModelRequest, ModelClient]:
        """The request, with a model named where engines could differ in what they take for theirs; and its way."""
        model = request.model or await self._default()
        if model != request.model:
            request = replace(request, model=model)
        return request, self._ways.get(model) or await self._way(model)

    async def _default(self) -> str | None:
        """The model of those who name none; None where there is only one engine to know it."""
        if self._file.default is not None or len(self._engines) == 1:
            return self._file.default
        if self._first is None:
            self._first = (await self.models())[0]
        return self._first

    async def _way(self, model: str | None) -> ModelClient:
        known = self._ways.get(model)
        if known is not None:
            return known
        async with self._finding:
            known = self._ways.get(model)
            if known is None:
                known, certain = await self._made(model)
                if certain:  # else an engine was silent: it may serve this model too
                    self._ways[model] = known
        return known

    async def _made(self, model: str | None) -> tuple[ModelClient, bool]:
        table = self._file.model.get(model or "", _NO_TABLE)
        first, certain = await self._alone(model)
        chain: list[tuple[ModelClient, str | None]] = [(first, None)]
        for name in table.fallback:
            other, sure = await self._alone(name)
            chain.append((other, name))
            certain = certain and sure
        whole = Fallback(chain) if len(chain) > 1 else first
        return Deadline(whole, table.timeout_s), certain

    async def _alone(self, model: str | None) -> tuple[ModelClient, bool]:
        """The way to one model without what it falls back on; and whether all engines were heard."""
        table = self._file.model.get(model or "", _NO_TABLE)
        engines, certain = await self._serving(model, table)
        routed = Routed([engine.replica for engine in engines], policy=table.spread)
        inner: ModelClient = routed
        if table.hedge_after_s is not None:
            inner = Hedged(routed, routed.second, after_s=table.hedge_after_s)
        shape, heard = await self._shape(engines)
        native = all(self._file.engine[engine.name].native_tools for engine in engines)
        return Checked(inner, native_tools=native, shape=shape), certain and heard

    async def _serving(self, model: str | None, table: ModelTable) -> tuple[list[Engine], bool]:
        if table.engines:
            return [self._engines[name] for name in table.engines], True
        if model is None or len(self._engines) == 1:
            return list(self._engines.values()), True
        said = {name: engine.models for name, engine in self._file.engine.items() if engine.models}
        silent = [name for name in self._engines if name not in said]
        listed = await self._listed(silent) if silent else {}
        found = [name for name in self._engines if model in (said.get(name) or listed.get(name) or ())]
        certain = len(listed) == len(silent)
        if not found:
            there = dict.fromkeys(n for names in (*said.values(), *listed.values()) for n in names)
            raise UnknownModel(
                f"No engine serves a model {model!r}; there are: {', '.join(there) or 'none'}. Name one of these, or none."
            )
        return [self._engines[name] for name in found], certain

    async def _listed(self, names: Sequence[str] | None = None) -> Mapping[str, Sequence[str]]:
        """What these engines list, without those that do not answer. Raises what the first said, where none does."""
        asked = list(self._engines if names is None else names)
        told = await asyncio.gather(
            *(self._engines[name].client.models() for name in asked), return_exceptions=True
        )
        found: dict[str, Sequence[str]] = {}
        for name, answer in zip(asked, told, strict=True):
            if isinstance(answer, list):
                found[name] = self._file.engine[name].models or answer
            elif not isinstance(answer, EngineError):
                raise answer
        if not found:
            raise next(answer for answer in told if isinstance(answer, BaseException))
        return found

    async def _shape(self, engines: Sequence[Engine]) -> tuple[Shape, bool]:
        """The form in which schemas go to these engines: one that all of them take."""
        kinds: set[EngineKind] = set()
        for engine in engines:
            kind = self._file.engine[engine.name].kind
            try:
                kinds.add(kind or await engine.client.kind())
            except EngineError:
                return PLAIN, False
        return (shape_of(kinds.pop()) if len(kinds) == 1 else PLAIN), True
