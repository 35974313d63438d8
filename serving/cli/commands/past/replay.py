"""Owns `crewgraph replay`: a past run again from its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.reading.history import RunSummary
    from ....house import Outcome


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    crew: Annotated[
        str | None, typer.Option(metavar="FILE", help="The crew's file, where it is not where it was.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Run a finished run again from its journal: same answer, no model, no tool called.

    Where the code now behaves otherwise, the first step that differs is named, with what went into it.
    """
    from ...pictures.report import kept_for_json, report

    session: Session = ctx.obj
    with kept_for_json(as_json):
        ran = block_on(_replay(session, run, crew, as_json=as_json))
    report(*ran, as_json=as_json)
    return 0


async def _replay(
    session: Session, which: str, crew_file: str | None, *, as_json: bool
) -> tuple[Outcome, RunSummary]:
    from ....house import House
    from ...screens.screen import open_screen
    from ..asking.going_on import crew_of

    with open_screen(json=as_json) as screen:
        async with House.open(session.settings, on_progress=screen.progress, engine=False) as house:
            record = await house.store.find_run(which)
            crew = crew_of(record, crew_file)
            screen.recall(await house.store.events(record.id))
            outcome = await house.replay(record.id, crew, listeners=[screen.event])
    return outcome, screen.view.summary
