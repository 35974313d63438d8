"""Owns the way to a ready engine: `engine_client` for its users; start and stop for operators."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...agents.live import require_live
from ...runtime.errors import EngineError
from ..settings import Settings
from .embedded import program as embedded
from .keeping.orders import Orders, Patience, Program, Serves
from .keeping.probe import KEY_VARIABLE, healthy
from .locks import locked
from .place import EngineName, Place, ServerState
from .process import idle_seconds, lease
from .process import start as start_process
from .process import stop as stop_process
from .progress import OnProgress, Progress, unseen
from .vllm import program as vllm
from .vllm.place import VllmPlace
from .wishes import Wishes

if TYPE_CHECKING:
    from ..client.dialects.dialect import EngineKind
    from ..client.http import HttpModelClient

KINDS: dict[EngineName, EngineKind] = {"embedded": "llamacpp", "vllm": "vllm"}
HEALTH_S = 20.0
_NOTICED_S = 0.5


@dataclass(frozen=True, slots=True)
class _Start:
    """How an engine is to be started where it does not run yet; with `keep` it stays."""

    wishes: Wishes = field(default_factory=Wishes)
    port: int = 0
    keep: bool = False
    patience: Patience = field(default_factory=Patience)


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
    from ..client.http import HttpModelClient

    if settings.model_url is not None and engine is None:
        client = HttpModelClient(settings.model_url, model=settings.model, api_key=settings.model_key)
        try:
            yield client
        finally:
            await client.aclose()
        return
    engine = engine or "embedded"
    async with AsyncExitStack() as stack:
        state = await _ensure(settings, engine, stack, on_progress, _Start())
        client = HttpModelClient(
            state.url,
            model=settings.model,
            api_key=os.environ.get(KEY_VARIABLE),
            engine_kind=KINDS[engine],
        )
        stack.push_async_callback(client.aclose)
        yield client


async def start_engine(
    settings: Settings,
    engine: EngineName = "embedded",
    *,
    port: int = 0,
    wishes: Wishes | None = None,
    patience: Patience | None = None,
    on_progress: OnProgress = unseen,
) -> ServerState:
    """Start an engine that stays until `stop_engine`; one that already runs is kept.

    Raises `EngineError` when it runs on another port or serves other things than asked for, or cannot be started.
    """
    start = _Start(wishes or Wishes(), port, True, patience or Patience())
    async with AsyncExitStack() as stack:
        return await _ensure(settings, engine, stack, on_progress, start)


async def stop_engine(settings: Settings, engine: EngineName = "embedded") -> ServerState | None:
    """Stop an engine, whoever uses it, and wait until it is gone; None when it did not run."""
    if not settings.engines_dir.exists():
        return None
    return await stop_process(Place.of(settings, engine))


def installed(settings: Settings, engine: EngineName) -> bool:
    """Whether the engine's programs are there, whatever models are."""
    return VllmPlace.of(settings).done.exists() if engine == "vllm" else embedded.installed()


def install_hint(engine: EngineName) -> str:
    """What to do where an engine is not installed."""
    if engine == "vllm":
        return "vLLM is not installed; run 'crewgraph engine install vllm' (several minutes, about 4 GB)."
    return (
        "The embedded engine is not installed; run 'pip install crewgraph[engine]', "
        "or name a server in CREWGRAPH_MODEL_URL."
    )


async def _ensure(
    settings: Settings, engine: EngineName, stack: AsyncExitStack, on_progress: OnProgress, start: _Start
) -> ServerState:
    """A running engine that answers, leased until `stack` closes."""
    require_live(f"The {engine} engine was to be started or asked")
    if not installed(settings, engine):
        raise EngineError(install_hint(engine))
    place = Place.of(settings, engine)
    try:
        await stack.enter_async_context(lease(place))
        async with locked(place.start) as held:
            state = place.running()
            if state is None:
                state = await _started(settings, place, held, on_progress, start)
            else:
                _require_same(state, engine, start)
            if start.keep:
                place.keep.touch()
    except OSError as error:
        raise EngineError(
            f"The engine's files in {place.folder} cannot be written ({error.strerror or error}); "
            "mend the rights there, or set CREWGRAPH_HOME to another folder."
        ) from error
    await require_answers(place, state, start.patience, on_progress)
    return state


async def _started(
    settings: Settings, place: Place, held: int, on_progress: OnProgress, start: _Start
) -> ServerState:
    place.keep.unlink(missing_ok=True)
    program, serves = await _program(settings, place, start.wishes, on_progress)
    on_progress(Progress(f"starting the {place.name} engine"))
    orders = Orders(
        str(place.folder), place.name, held, idle_seconds(), start.port, program, serves, start.patience
    )
    return await start_process(orders, on_progress)


async def _program(
    settings: Settings, place: Place, wishes: Wishes, on_progress: OnProgress
) -> tuple[Program, Serves]:
    if place.name == "vllm":
        return await vllm.program(settings, wishes, on_progress)
    return await embedded.program(settings, place, wishes, on_progress)


def _require_same(state: ServerState, engine: EngineName, start: _Start) -> None:
    """Raises `EngineError`: what runs is not what is asked for."""
    wishes = start.wishes
    adapters = tuple(adapter.name for adapter in wishes.adapters)
    there = ""
    if start.port and state.port != start.port:
        there = f"on port {state.port}"
    elif wishes.name and wishes.name != state.model:
        there = f"and serves {state.model}"
    elif wishes.model and not state.serves(wishes.model):
        there = f"and serves {state.path or state.model}"
    elif adapters and adapters != state.adapters:
        there = f"with the adapters {', '.join(state.adapters)}" if state.adapters else "without adapters"
    if there:
        raise EngineError(
            f"The {engine} engine already runs {there}; run 'crewgraph engine stop {engine}' first to change that."
        )


async def require_answers(
    place: Place, state: ServerState, patience: Patience, on_progress: OnProgress = unseen
) -> None:
    """Wait until the engine answers, where it is being started again. Raises `EngineError`: it does not."""
    for pause in (0.0, _NOTICED_S):
        await asyncio.sleep(
            pause
        )  # its daemon hears of its death in the same moment, and may need this one more
        now = place.running()
        if now is not None and now.stage:
            on_progress(Progress(f"the {place.name} engine is being started again ({now.fault})"))
        try:
            async with asyncio.timeout(patience.start_s), locked(place.away, shared=True):
                pass
        except TimeoutError:
            break
        if await healthy(state.port, HEALTH_S):
            return
    raise EngineError(
        f"The {place.name} engine runs (pid {state.pid}) but does not answer; "
        f"run 'crewgraph engine stop {place.name}' and try again."
    )
