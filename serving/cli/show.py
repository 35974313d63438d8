"""Owns `crewgraph show`: the inspector in the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .session import Session, block_on

if TYPE_CHECKING:
    from ...runtime.store import RunRecord
    from ..settings import Settings
    from .view import RunView


def command(
    ctx: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")
    ] = "last",
    full: Annotated[bool, typer.Option("--full", help="Show inputs and outputs uncut.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Look into a run: tasks, steps, inputs, outputs, tokens, seconds, notes, evidence."""
    session: Session = ctx.obj
    record, view = block_on(_read(session.settings, run))
    if as_json:
        from .report import print_json, run_json

        print_json({**asdict(record), **run_json(view), "status": record.status})
    else:
        from .inspector import print_run

        print_run(record, view, full=full)
    return 0


async def _read(settings: Settings, which: str) -> tuple[RunRecord, RunView]:
    from ...runtime.errors import NotFound
    from ...runtime.store import open_store
    from .view import RunView

    if not settings.database.exists():
        raise NotFound(f"There is no run {which!r}: nothing has been run in {settings.home} yet.")
    async with open_store(settings.database) as store:
        record = await store.find_run(which)
        view = RunView()
        for event in await store.events(record.id):
            view.apply(event)
        return record, view
