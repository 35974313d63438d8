"""Owns the way from settings to one ready model client: every engine's, behind limits and a cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...agents.model import ModelClient
from ..engines.progress import OnProgress, unseen
from ..settings import Price, Settings
from .file import EMBEDDED, CacheTable, EngineTable, ModelsFile, RateTable, models_of

if TYPE_CHECKING:
    from ..client.routing import Rate
    from .directory import Engine

_ALL_OTHERS = "default"


@asynccontextmanager
async def open_models(settings: Settings, *, on_progress: OnProgress = unseen) -> AsyncIterator[ModelClient]:
    """One client for all models that the settings name, for a block of code. The embedded engine is started if need be.

    Raises:
        InvalidInput: the models file, a URL or a key cannot be used.
        EngineError: the embedded engine is meant, and cannot be brought up.
    """
    file = models_of(settings)
    async with AsyncExitStack() as stack:
        client = await _directory(file, settings, stack, on_progress)
        client = _limited(client, file)
        if file.cache is not None:
            client = await _cached(client, file.cache, settings, stack, on_progress)
        stack.push_async_callback(client.aclose)
        yield client


async def _directory(
    file: ModelsFile, settings: Settings, stack: AsyncExitStack, on_progress: OnProgress
) -> ModelClient:
    from .directory import Directory

    engines = [
        await _engine(name, table, settings, stack, on_progress) for name, table in file.engine.items()
    ]
    return Directory(file, engines)


async def _engine(
    name: str, table: EngineTable, settings: Settings, stack: AsyncExitStack, on_progress: OnProgress
) -> Engine:
    from ..client.http import HttpModelClient
    from ..client.routing import Replica, metrics_of
    from .directory import Engine
    from .priced import Priced

    if table.url == EMBEDDED:
        from ..engines import engine_client

        opening = engine_client(settings, engine="embedded", on_progress=on_progress)
        client = await stack.enter_async_context(opening)
    else:
        client = HttpModelClient(
            table.url,
            api_key=table.key or settings.model_key,
            engine_kind=table.kind,
            read_timeout_s=table.read_timeout_s,
            attempts=1,
            extra=table.extra,
        )
    price = Price.parse(table.price) if table.price is not None else settings.price
    seen = client if price is None else Priced(client, price)
    return Engine(name, client, Replica(name, seen, table.weight, metrics_of(client.base_url)))


def _limited(client: ModelClient, file: ModelsFile) -> ModelClient:
    models = _rates(file.model)
    tenants = _rates(file.tenant)
    if not models and not tenants:
        return client
    from ..client.routing import Limited

    return Limited(client, model=models, tenant=tenants)


def _rates(tables: Mapping[str, RateTable]) -> dict[str, Rate]:
    from ..client.routing import Rate

    return {
        "" if name == _ALL_OTHERS else name: Rate(table.requests_per_minute, table.tokens_per_minute)
        for name, table in tables.items()
        if table.requests_per_minute is not None or table.tokens_per_minute is not None
    }


async def _cached(
    client: ModelClient,
    table: CacheTable,
    settings: Settings,
    stack: AsyncExitStack,
    on_progress: OnProgress,
) -> ModelClient:
    from ..client.caching import Cached, Semantic, open_cache
    from ..client.caching.store import default_cache

    semantic = None
    if table.semantic is not None:
        embedder = client
        if table.embedder is None:
            from ..engines.models.embedding import LocalEmbedder, pull_embedder

            await pull_embedder(settings, on_progress=on_progress)
            embedder = LocalEmbedder(settings)
            stack.push_async_callback(embedder.aclose)
        where = (
            table.vectors if "://" in table.vectors or table.vectors == ":memory:" else Path(table.vectors)
        )
        semantic = Semantic(embedder, where, threshold=table.semantic, model=table.embedder)
    store = open_cache(table.store or default_cache(settings.home))
    return Cached(client, store, semantic=semantic, ttl_s=table.ttl_s)
