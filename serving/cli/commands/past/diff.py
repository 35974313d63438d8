"""Owns `crewgraph diff`: two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.past.diff import RunDiff


def command(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="One run (an id, its beginning, or `last`).")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Compare two runs by task and step: what changed first, what followed from it, what each of them used."""
    session: Session = ctx.obj
    one, other, found = block_on(_diff(session, a, b))
    if as_json:
        from ...pictures.report import print_json

        print_json({"run_a": one, "run_b": other, "same": found.same, **found.to_json()})
    else:
        from ...pictures.comparison import print_diff

        print_diff(found, one, other)
    return 0


async def _diff(session: Session, a: str, b: str) -> tuple[str, str, RunDiff]:
    from ....archive import Archive

    async with session.past(a) as store:
        one, other = (await store.find_run(a)).id, (await store.find_run(b)).id
        return one, other, await Archive(store).diff(one, other)
