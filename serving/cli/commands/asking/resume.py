"""Owns `crewgraph resume`: a run that was broken off goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.budget import Budget
    from .....runtime.reading.history import RunSummary
    from ....house import Outcome


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
    money: Annotated[float | None, typer.Option(min=0, help="A new limit of money.")] = None,
    soft: Annotated[
        float | None, typer.Option(min=0, max=1, help="The part of a limit from which to go the cheaper way.")
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Have workers carry the tasks (see crewgraph worker).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Go on with a run that was broken off: finished steps are not run again."""
    from ...pictures.report import kept_for_json, report
    from .request import budget_of

    session: Session = ctx.obj
    budget = budget_of(tokens, seconds, tool_calls, money, soft)
    with kept_for_json(as_json):
        ran = block_on(_resume(session, run, crew, budget, cluster, as_json=as_json))
    report(*ran, as_json=as_json)
    return 0


async def _resume(
    session: Session,
    which: str,
    crew_file: str | None,
    budget: Budget | None,
    cluster: bool,
    *,
    as_json: bool,
) -> tuple[Outcome, RunSummary]:
    from .going_on import crew_of, open_sight

    async with open_sight(session, as_json=as_json, cluster=cluster) as sight:
        record = await sight.house.store.find_run(which)
        outcome = await sight.resume(record.id, crew_of(record, crew_file), budget=budget)
        return outcome, await sight.summary(outcome)
