"""Owns `crewgraph replay`: a past run again from its journal."""

from __future__ import annotations

from typing import Annotated

import typer

from ..session import Session, block_on


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    crew: Annotated[
        str | None, typer.Option(metavar="FILE", help="The crew's file, where it is not where it was.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Run a finished run again from its journal: same answer, no model, no tool called."""
    from ..screens.report import kept_for_json, report
    from .past import go_through

    session: Session = ctx.obj
    with kept_for_json(as_json):
        ran = block_on(go_through(session, run, "replay", crew, as_json=as_json))
    report(*ran, as_json=as_json)
    return 0
