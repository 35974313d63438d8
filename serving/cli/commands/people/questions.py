"""Owns `crewgraph questions`: what runs wait for a person to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.reading.questions import Question
    from .....runtime.store import RunRecord, Store

_MOST = 1_000
_RECENT = 100
"""So many runs that are at work, broke off or failed are looked through: they may have asked something as well."""

Asked = list[tuple["RunRecord", list["Question"]]]


def command(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Which run (an id, its beginning, or `last`); else all."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show uncut what questions are about.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """List what runs wait for a person to say, and how to answer."""
    session: Session = ctx.obj
    asked = block_on(_asked(session, run))
    if as_json:
        from ....telling import question_json
        from ...pictures.report import print_json

        told = [question_json(question, record.id) for record, open_ones in asked for question in open_ones]
        print_json({"questions": told})
    elif not asked:
        print("Nothing waits for an answer." if run is None else f"Run {run} waits for no answer.")
    else:
        from ...pictures.questions import print_questions

        for record, open_ones in asked:
            print_questions(record, open_ones, full=full)
    return 0


async def _asked(session: Session, which: str | None) -> Asked:
    """Runs with open questions, the one that has waited longest first."""
    if which is not None:
        async with session.past(which) as store:
            return await _of(store, [await store.find_run(which)])
    if not session.settings.has_runs:
        return []
    async with session.store() as store:
        records = await store.list_runs(limit=_MOST, status="waiting")
        for status in ("running", "interrupted", "failed"):
            records += await store.list_runs(limit=_RECENT, status=status)
        asked = await _of(store, records)
    return sorted(asked, key=lambda pair: pair[1][0].since)


async def _of(store: Store, records: list[RunRecord]) -> Asked:
    found: Asked = []
    for record in records:
        asked = await store.questions(record.id)
        if asked:
            found.append((record, asked))
    return found
