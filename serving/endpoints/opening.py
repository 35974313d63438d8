"""Owns the way from settings to one ready model client: every engine's, behind limits and a cache."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...agents.model import ModelClient
from ..engines.progress import OnProgress, unseen
from ..settings import Settings
from .file import EMBEDDED, CacheTable, EngineTable, models_of

if TYPE_CHECKING:
    from ..client.http import HttpModelClient
    from .engine import Engine


@asynccontextmanager
async def open_models(settings: Settings, *, on_progress: OnProgress = unseen) -> AsyncIterator[ModelClient]:
    """One client for all models that the settings name, for a block of code.

    Nothing is asked, and the embedded engine is not started, before a call needs it; replies that are kept need none.

    Raises:
        InvalidInput: the models file, a URL or a key cannot be used.
        EngineError: vectors are to be made on this machine, and their model cannot be had.
    """
    from .directory import Directory

    file = models_of(settings)
    several = len(file.engine) > 1
    async with AsyncExitStack() as stack:
        engines = [
            _engine(name, table, settings, on_progress, watched=several)
            for name, table in file.engine.items()
        ]
        client: ModelClient = Directory(file, engines)
        if file.cache is not None:
            client = await _cached(client, file.cache, file.default, settings, stack, on_progress)
        stack.push_async_callback(client.aclose)
        yield client


def key_of(table: EngineTable, settings: Settings) -> str | None:
    """The key for an engine: its own, or, where the settings name the URL itself, theirs; never another engine's.

    Raises `InvalidInput`: the variable that is to hold it is not set.
    """
    return settings.model_key if settings.model_urls else table.key


def _engine(
    name: str, table: EngineTable, settings: Settings, on_progress: OnProgress, *, watched: bool
) -> Engine:
    from .engine import Engine

    key = key_of(table, settings)
    if table.url == EMBEDDED:
        opening = partial(_embedded, table, settings, on_progress)
        told = partial(_embedded_models, settings)
        return Engine(name, table, opening, told=told, kind="llamacpp", price=settings.price, watched=watched)
    return Engine(name, table, partial(_at, table, table.url, key), price=settings.price, watched=watched)


@asynccontextmanager
async def _at(table: EngineTable, url: str, key: str | None) -> AsyncIterator[HttpModelClient]:
    from ..client.http import HttpModelClient

    async with HttpModelClient(
        url,
        api_key=key,
        engine_kind=table.kind,
        read_timeout_s=table.read_timeout_s,
        attempts=1,  # the router above it tries again
        extra=table.extra,
    ) as client:
        yield client


@asynccontextmanager
async def _embedded(
    table: EngineTable, settings: Settings, on_progress: OnProgress
) -> AsyncIterator[HttpModelClient]:
    from ..engines import engine_client
    from ..engines.keeping.probe import KEY_VARIABLE

    table = table.model_copy(update={"kind": "llamacpp"})
    async with (
        engine_client(settings, engine="embedded", on_progress=on_progress) as running,
        _at(table, running.base_url, os.environ.get(KEY_VARIABLE)) as client,
    ):
        yield client


def _embedded_models(settings: Settings) -> tuple[str, ...]:
    """What the embedded engine serves, or will serve when it is started."""
    from ..engines.models.catalog import DEFAULT_MODEL
    from ..engines.place import Place

    running = Place.of(settings, "embedded").running()
    return (DEFAULT_MODEL.name if running is None else running.model,)


async def _cached(
    client: ModelClient,
    table: CacheTable,
    default: str | None,
    settings: Settings,
    stack: AsyncExitStack,
    on_progress: OnProgress,
) -> ModelClient:
    from ..client.caching import Cached, Semantic, open_cache
    from ..client.caching.store import default_cache

    store = open_cache(table.store or default_cache(settings.home))
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
    return Cached(client, store, semantic=semantic, ttl_s=table.ttl_s, model=default)
