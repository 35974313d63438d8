"""Owns `crewgraph fork`: a run that goes on from the middle of another one, changed or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .....runtime.reading.history import RunSummary
    from .....runtime.store import RunRecord
    from ....house import Outcome


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="STEP",
            help="Where to leave it: a task, TASK:STEP, a step's key, an event #N, or `plan`.",
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=JSON",
            help="What to make otherwise there: output, result, args.NAME, description, answer, request.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model that the new run uses.")
    ] = None,
    crew: Annotated[
        str | None, typer.Option(metavar="FILE", help="The crew's file, where it is not where it was.")
    ] = None,
    later: Annotated[bool, typer.Option("--later", help="Make the new run and do not go on yet.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Go on from the middle of a run, live, as a run of its own.

    What came before STEP is read back, what comes after happens (again) for the new run. The run itself is
    not touched.
    """
    from ...pictures.report import kept_for_json, print_json, report

    session: Session = ctx.obj
    wanted = read_changes(changes or [])
    with kept_for_json(as_json):
        forked, ran = block_on(_fork(session, run, at, wanted, model, crew, later, as_json=as_json))
    if ran is not None:
        report(*ran, as_json=as_json)
    elif as_json:
        print_json({"run_id": forked.id, "forked_from": forked.forked_from, "model": forked.model})
    else:
        print(f"run {forked.id} goes on from {forked.forked_from}: crewgraph resume {forked.id}")
    return 0


def read_changes(given: list[str]) -> dict[str, JsonValue]:
    """What ``NAME=JSON`` says; a value that is not JSON is a text.

    Raises:
        InvalidInput: there is no name, or it is given twice.
    """
    from .....runtime.errors import InvalidInput

    found: dict[str, JsonValue] = {}
    for change in given:
        name, equals, text = change.partition("=")
        if not name or not equals:
            raise InvalidInput(
                f"--set {change!r} sets nothing: write NAME=JSON, such as args.city='\"Rome\"'."
            )
        if name in found:
            raise InvalidInput(f"--set {name} is given twice: give it once.")
        try:
            found[name] = json.loads(text)
        except (ValueError, RecursionError):
            found[name] = text
    return found


async def _fork(
    session: Session,
    which: str,
    at: str,
    changes: dict[str, JsonValue],
    model: str | None,
    crew_file: str | None,
    later: bool,
    *,
    as_json: bool,
) -> tuple[RunRecord, tuple[Outcome, RunSummary] | None]:
    from ..asking.going_on import crew_of, open_sight

    async with open_sight(session, as_json=as_json) as sight:
        record = await sight.house.store.find_run(which)
        crew = None if later else crew_of(record, crew_file)
        forked = await sight.house.fork(record.id, at=at, changes=changes, model=model)
        if crew is None:
            return forked, None
        outcome = await sight.resume(forked.id, crew)
        return forked, (outcome, await sight.summary(outcome))
