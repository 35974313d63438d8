"""Owns going on with a run: the words for it when one is stopped, and going through a past one again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from ..failure import Stopped
from ..session import Session

if TYPE_CHECKING:
    from ....agents.crew import Crew
    from ....runtime.budget import Budget
    from ....runtime.history import RunSummary
    from ....runtime.store import RunRecord, Store
    from ...house import Outcome


async def go_through(
    session: Session,
    which: str,
    how: Literal["resume", "replay"],
    crew_file: str | None,
    *,
    budget: Budget | None = None,
    as_json: bool,
) -> tuple[Outcome, RunSummary]:
    """Resume or replay the run that `which` means, with the crew of its file or of `crew_file`.

    A `budget` takes the place of the one that the run began with.
    """
    from ...house import House
    from ..screens.screen import open_screen

    with open_screen(json=as_json) as screen:
        async with House.open(session.settings, on_progress=screen.progress, engine=how == "resume") as house:
            record = await house.store.find_run(which)
            crew = _crew_of(record, crew_file)
            if how == "resume":
                screen.recall(await house.store.events(record.id))
            async with telling_how_to_go_on(house.store, record.id):
                if how == "resume":
                    outcome = await house.resume(record.id, crew, listeners=[screen.event], budget=budget)
                else:
                    outcome = await house.replay(record.id, crew, listeners=[screen.event])
    return outcome, screen.view.summary


def _crew_of(record: RunRecord, crew_file: str | None) -> Crew:
    from ....runtime.errors import InvalidCrew
    from ...crewfile import load_crew

    file = crew_file or record.crew_path
    if not file:
        raise InvalidCrew(
            f"Run {record.id} does not say which file its crew is in: name it with --crew FILE."
        )
    return load_crew(file)


@asynccontextmanager
async def telling_how_to_go_on(store: Store, run_id: str | None = None) -> AsyncIterator[None]:
    """Inside, being cancelled becomes Stopped with the words that continue the run (None: the newest one)."""
    before = None if run_id else await _newest(store)
    try:
        yield
    except asyncio.CancelledError:
        run = run_id or await _newest(store)
        if run is None or run == before:
            raise
        raise Stopped(f"stopped; continue with crewgraph resume {run}") from None


async def _newest(store: Store) -> str | None:
    runs = await store.list_runs(limit=1)
    return runs[0].id if runs else None
