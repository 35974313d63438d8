"""The doors for Python programs: `run`, and `run_sync` for code without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..agents.crew import Crew
from ..agents.model import ModelClient
from ..planner.ways import Mode
from ..runtime.budget import Budget
from ..runtime.context import Listener
from .house import House, Outcome
from .settings import Settings


async def run(
    crew: Crew,
    request: str,
    *,
    settings: Settings | None = None,
    client: ModelClient | None = None,
    budget: Budget | None = None,
    listeners: Sequence[Listener] = (),
    planner: Mode = "auto",
) -> Outcome:
    """Carry one request out with a crew and give back its outcome.

    `settings` say where things live and which engine is meant (default: the environment's), `client` puts another
    model in the engine's place, `listeners` are told of every event.

    Raises:
        CrewgraphError: the run ended without an answer; the message says why and what to do.
    """
    async with House.open(settings or Settings(), client=client) as house:
        return await house.ask(crew, request, budget=budget, listeners=listeners, planner=planner)


def run_sync(
    crew: Crew,
    request: str,
    *,
    settings: Settings | None = None,
    client: ModelClient | None = None,
    budget: Budget | None = None,
    listeners: Sequence[Listener] = (),
    planner: Mode = "auto",
) -> Outcome:
    """`run` for code without an event loop: the one synchronous door.

    Raises:
        CrewgraphError: as `run` does.
        RuntimeError: an event loop is already running; await `run` there.
    """
    work = run(
        crew, request, settings=settings, client=client, budget=budget, listeners=listeners, planner=planner
    )
    return asyncio.run(work)
