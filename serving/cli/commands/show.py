"""Owns `crewgraph show`: the inspector in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from ....runtime.history import RunSummary
    from ....runtime.store import RunRecord
    from ...settings import Settings


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
    record, summary = block_on(_read(session.settings, run))
    if as_json:
        from ..screens.report import print_json, record_json

        print_json(record_json(record, summary))
    else:
        from ..screens.inspector import print_run

        print_run(record, summary, full=full)
    return 0


async def _read(settings: Settings, which: str) -> tuple[RunRecord, RunSummary]:
    from ....runtime.errors import NotFound
    from ....runtime.history import summarise
    from ....runtime.store import open_store

    if not settings.has_runs:
        raise NotFound(f"There is no run {which!r}: nothing has been run in {settings.home} yet.")
    async with open_store(settings.database) as store:
        record = await store.find_run(which)
        return record, summarise(await store.events(record.id))
