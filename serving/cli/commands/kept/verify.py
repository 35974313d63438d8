"""Owns `crewgraph runs verify`: whether the events of runs are what was written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ...session import Session, block_on

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one run: how many events there are, or what is wrong with them."""

    run_id: str
    ok: bool
    events: int = 0
    message: str = ""


def command(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN…", help="Which runs (ids, their beginnings, or `last`)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Check the chain of hashes over a run's events, and say which event is not what was written."""
    from .....runtime.errors import InvalidInput, JournalTampered

    session: Session = ctx.obj
    if every == bool(runs):
        raise InvalidInput("Name the runs to verify, or say --all.")
    verdicts = block_on(_verify(session, runs, as_json=as_json))
    well = all(verdict.ok for verdict in verdicts)
    if as_json:
        from ...pictures.report import print_json

        print_json({"ok": well, "runs": [asdict(verdict) for verdict in verdicts]})
    return 0 if well else JournalTampered.exit_code


async def _verify(session: Session, runs: list[str] | None, *, as_json: bool) -> list[Verdict]:
    from .....runtime.errors import JournalTampered

    found: list[Verdict] = []
    async with session.past(runs[0] if runs else "run") as store:
        records = (
            [await store.find_run(which) for which in runs] if runs else await store.list_runs(limit=_ALL)
        )
        for run_id in dict.fromkeys(record.id for record in records):
            try:
                verdict = Verdict(run_id, ok=True, events=len(await store.events(run_id)))
            except JournalTampered as error:
                verdict = Verdict(run_id, ok=False, message=str(error))
            found.append(verdict)
            if not as_json:
                said = f"{verdict.events:,} events" if verdict.ok else verdict.message
                print(f"{'ok      ' if verdict.ok else 'problem '} {run_id}  {said}", flush=True)
    return found
