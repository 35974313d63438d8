"""Owns `crewgraph bisect`: the step that made a run's answer wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.past.bisect import Culprit


def command(
    ctx: typer.Context,
    good: Annotated[str, typer.Argument(metavar="GOOD", help="A run whose answer is right.")],
    bad: Annotated[
        str, typer.Argument(metavar="BAD", help="A run of the same request whose answer is wrong.")
    ],
    crew: Annotated[
        str | None, typer.Option(metavar="FILE", help="The crew's file, where it is not where it was.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Find the first step whose result makes the good run give the bad answer.

    Forks of GOOD are tried, with more and more of what BAD's steps gave. A step that neither run knows is
    carried out live.
    """
    from ...pictures.report import kept_for_json, print_json

    session: Session = ctx.obj
    with kept_for_json(as_json):
        right, wrong, culprit = block_on(_bisect(session, good, bad, crew))
    if as_json:
        print_json({"good": right, "bad": wrong, **asdict(culprit)})
    else:
        from ...pictures.comparison import print_culprit

        print_culprit(culprit, right, wrong)
    return 0


async def _bisect(session: Session, good: str, bad: str, crew_file: str | None) -> tuple[str, str, Culprit]:
    from ..asking.going_on import crew_of, open_sight

    async with open_sight(session, as_json=True) as sight:
        store = sight.house.store
        right, wrong = await store.find_run(good), await store.find_run(bad)
        crew = crew_of(right, crew_file)
        return right.id, wrong.id, await sight.house.bisect(right.id, wrong.id, crew)
