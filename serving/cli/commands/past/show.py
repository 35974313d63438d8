"""Owns `crewgraph show`: the inspector in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.reading.history import RunSummary
    from .....runtime.store import RunRecord


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
    record, summary = block_on(_read(session, run))
    if as_json:
        from ....telling import record_json
        from ...pictures.report import print_json

        print_json(record_json(record, summary))
    else:
        from ...pictures.inspector import print_run

        print_run(record, summary, full=full)
    return 0


async def _read(session: Session, which: str) -> tuple[RunRecord, RunSummary]:
    from .....runtime.reading.history import summarise

    async with session.past(which) as store:
        record = await store.find_run(which)
        return record, summarise(await store.events(record.id))
