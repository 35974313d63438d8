"""Owns `crewgraph runs prune` and `delete`: runs taken away for good."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.store import RunRecord, Store

_ALL = 1_000_000
_UNITS = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_AGE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(min|h|d|w)")


def prune_command(
    ctx: typer.Context,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="How long ago they ended: 30d, 12h, 4w, 90min.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Take away all runs that ended long ago, with their events. Runs that are not over stay."""
    session: Session = ctx.obj
    before = time.time() - read_age(older_than)
    count = block_on(_prune(session, before, older_than, yes=yes, as_json=as_json))
    if as_json:
        from ...pictures.report import print_json

        print_json({"pruned": count})
    elif count is not None:
        print(f"Took away {_runs(count)}.")
    return 0


def delete_command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Take a run away for good, with its events."""
    session: Session = ctx.obj
    record = block_on(_delete(session, run))
    if as_json:
        from ...pictures.report import print_json

        print_json({"deleted": record.id})
    else:
        from ...screens.text import one_line

        print(f"Took away run {record.id} ({one_line(record.crew)}: {one_line(record.request, 80)}).")
    return 0


def read_age(text: str) -> float:
    """The seconds that `30d` means.

    Raises:
        InvalidInput: it is no number with a unit.
    """
    from .....runtime.errors import InvalidInput

    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"{text!r} is no age: write a number of minutes, hours, days or weeks, such as 30d."
        )
    return float(found[1]) * _UNITS[found[2]]


async def _prune(session: Session, before: float, age: str, *, yes: bool, as_json: bool) -> int | None:
    """How many were taken away; None where a person said no."""
    from .....runtime.errors import InvalidInput

    if not session.settings.has_runs:
        return 0
    async with session.store() as store:
        count = await _count(store, before)
        if not yes and count:
            said = f"{_runs(count)} ended more than {age} ago"
            if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise InvalidInput(f"{said}: say --yes to take them away for good.")
            if not await agreed(f"{said}. Take them away for good? [y/N] "):
                print("Nothing was taken away.")
                return None
        return await store.prune(before) if count else 0


async def _count(store: Store, before: float) -> int:
    records = await store.list_runs(limit=_ALL)
    return sum(1 for record in records if record.finished is not None and record.finished < before)


async def agreed(prompt: str) -> bool:
    """Whether a person says yes."""
    from ...screens.dialogue import typed_line

    return (await typed_line(prompt) or "").strip().lower() in {"y", "yes"}


async def _delete(session: Session, which: str) -> RunRecord:
    async with session.past(which) as store:
        record = await store.find_run(which)
        await store.delete_run(record.id)
        return record


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
