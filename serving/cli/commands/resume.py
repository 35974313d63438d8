"""Owns `crewgraph resume`: a run that was broken off goes on."""

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
    tokens: Annotated[
        int | None, typer.Option(min=1, help="A new limit of tokens for the whole run.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.001, help="A new limit of seconds.")] = None,
    tool_calls: Annotated[int | None, typer.Option(min=0, help="A new limit of tool calls.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Go on with a run that was broken off: finished steps are not run again."""
    from ..screens.report import kept_for_json, report
    from .past import go_through
    from .request import budget_of

    session: Session = ctx.obj
    with kept_for_json(as_json):
        ran = block_on(
            go_through(
                session, run, "resume", crew, budget=budget_of(tokens, seconds, tool_calls), as_json=as_json
            )
        )
    report(*ran, as_json=as_json)
    return 0
