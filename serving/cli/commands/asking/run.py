"""Owns `crewgraph run`: one request to a crew, shown while it goes on, answered at the end."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .....planner.ways import Mode
from ...session import Session, block_on

if TYPE_CHECKING:
    from .....agents.crew import Crew
    from .....runtime.budget import Budget
    from .....runtime.reading.history import RunSummary
    from ....house import Outcome
    from ...screens.screen import Screen


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The Python file that defines the crew.")],
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="What to do; `-` reads it from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    planner: Annotated[
        Mode,
        typer.Option(help="Who makes the plan: see the page on planning; auto takes what fits."),
    ] = "auto",
    thread: Annotated[
        str | None, typer.Option(metavar="THREAD", help="Ask inside this conversation.")
    ] = None,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="For whom: their budget is used.")] = "",
    tokens: Annotated[int | None, typer.Option(min=1, help="Stop after so many tokens.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.001, help="Stop after so many seconds.")] = None,
    tool_calls: Annotated[int | None, typer.Option(min=0, help="Stop after so many tool calls.")] = None,
    money: Annotated[float | None, typer.Option(min=0, help="Stop when so much money is spent.")] = None,
    soft: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The part of a limit (0.8) from which to go the cheaper way."),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Have workers carry the tasks (see crewgraph worker).")
    ] = False,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Show the plan and do nothing.")] = False,
) -> int:
    """Ask a crew once and print its answer."""
    from ....crewfile import load_crew
    from ...pictures.report import kept_for_json, report
    from .planning import plan_once, show
    from .request import budget_of, read_request

    session: Session = ctx.obj
    text, budget = read_request(request), budget_of(tokens, seconds, tool_calls, money, soft)
    with kept_for_json(as_json):
        crew, path = load_crew(file), str(Path(file).resolve())
        if plan_only:
            planned = block_on(plan_once(session, crew, text, planner, path, budget, quiet=as_json))
            tell = partial(show, planned)
        else:
            asking = _run(
                session, crew, text, planner, thread, budget, path, tenant, cluster, as_json=as_json
            )
            tell = partial(report, *block_on(asking))
    tell(as_json=as_json)
    return 0


async def _run(
    session: Session,
    crew: Crew,
    request: str,
    planner: Mode,
    thread: str | None,
    budget: Budget | None,
    path: str,
    tenant: str,
    cluster: bool,
    *,
    as_json: bool,
) -> tuple[Outcome, RunSummary]:
    from .going_on import open_sight

    async with open_sight(session, as_json=as_json, cluster=cluster) as sight:

        def ask(screen: Screen) -> Awaitable[Outcome]:
            return sight.house.ask(
                crew,
                request,
                thread_id=thread,
                budget=budget,
                listeners=[screen.event],
                planner=planner,
                crew_path=path,
                tenant=tenant,
                hands=sight.hands,
            )

        outcome = await sight.ask(crew, ask)
        return outcome, await sight.summary(outcome)
