"""Owns what there is of an engine now: installed, running, answering, how busy, and what went wrong with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..settings import Settings
from .keeping.probe import Load, healthy, load
from .manager import HEALTH_S, install_hint, installed
from .models.catalog import DEFAULT_MODEL
from .models.files import pulled
from .place import ENGINES, EngineName, Place, ServerState
from .vllm.place import VllmPlace


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine as it is now. `url` and what follows it are None or empty when it does not run.

    `installed` is about programs, `model_present` about the default model's files; `problem` is one sentence on what
    keeps the engine from answering, None when nothing does. `kept` tells that only ``engine stop`` ends it. `restarts`
    counts how often it had to be started again, `fault` is why it was the last time. `load` is how busy it is.
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
    adapters: tuple[str, ...] = ()
    restarts: int = 0
    fault: str = ""
    stage: str = ""
    load: Load = field(default_factory=Load)
    log: str = ""


async def engine_status(settings: Settings, engine: EngineName = "embedded") -> EngineStatus:
    """What there is of an engine, and whether it answers; starts nothing."""
    place = Place.of(settings, engine)
    state = place.running()
    there, present = installed(settings, engine), _model_present(settings, engine)
    log = str(place.log) if place.log.exists() else ""
    if state is None:
        last = place.last()
        problem = None if there else install_hint(engine)
        if last is not None and last.gave_up:
            problem = _given_up(last, engine)
        fault = last.fault if last else ""
        restarts = last.restarts if last else 0
        return EngineStatus(
            engine,
            there,
            present,
            False,
            last.model if last else DEFAULT_MODEL.name,
            problem=problem,
            restarts=restarts,
            fault=fault,
            log=log,
        )
    well, busy = await asyncio.gather(healthy(state.port, HEALTH_S), load(state.port, HEALTH_S))
    return EngineStatus(
        name=engine,
        installed=there,
        model_present=present,
        running=True,
        model=state.model,
        url=state.url,
        pid=state.pid,
        started=state.started,
        ready_s=state.ready_s,
        kept=place.keep.exists(),
        problem=None if well else _silent(state, engine),
        adapters=state.adapters,
        restarts=state.restarts,
        fault=state.fault,
        stage=state.stage,
        load=busy,
        log=log,
    )


async def engine_list(settings: Settings) -> list[EngineStatus]:
    """The status of every engine that crewgraph can start."""
    return list(await asyncio.gather(*(engine_status(settings, name) for name in ENGINES)))


def _silent(state: ServerState, engine: str) -> str:
    if state.stage:
        return f"The {engine} engine is being started again ({state.stage}), because {state.fault}."
    return (
        f"The {engine} engine runs (pid {state.pid}) but does not answer; its daemon starts it again when that lasts, "
        f"or run 'crewgraph engine stop {engine}' and try again."
    )


def _given_up(last: ServerState, engine: str) -> str:
    times = f"{last.restarts} restart{'s' if last.restarts != 1 else ''}"
    return (
        f"The {engine} engine was given up after {times}, because {last.fault}; look into its log with "
        f"'crewgraph engine logs {engine}', then start it again."
    )


def _model_present(settings: Settings, engine: EngineName) -> bool:
    return VllmPlace.of(settings).model_ready if engine == "vllm" else pulled(settings).present
