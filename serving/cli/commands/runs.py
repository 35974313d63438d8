"""Owns `crewgraph runs`: the runs of this machine, newest first."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from ....runtime.store import RunRecord
    from ...settings import Settings


def command(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """List the runs of this machine, newest first."""
    session: Session = ctx.obj
    records = block_on(_records(session.settings, limit))
    if as_json:
        from ..screens.report import print_json

        print_json({"runs": [asdict(record) for record in records]})
    elif records:
        _print_table(records)
    else:
        print('No runs yet: crewgraph run FILE "request" makes one.')
    return 0


async def _records(settings: Settings, limit: int) -> list[RunRecord]:
    from ....runtime.store import open_store

    if not settings.has_runs:
        return []
    async with open_store(settings.database) as store:
        return await store.list_runs(limit=limit)


def _print_table(records: list[RunRecord]) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..screens.console import make_console
    from ..screens.text import one_line, seconds

    console = make_console()
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    for name, fixed in (("RUN", 0), ("STATE", 0), ("STARTED", 0), ("TOOK", 0), ("TOKENS", 0), ("CREW", 12)):
        right = name in {"TOOK", "TOKENS"}
        table.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if right else "left",
            max_width=fixed or None,
        )
    table.add_column("REQUEST", no_wrap=True, overflow="ellipsis", ratio=1)
    for record in records:
        took = seconds(record.finished - record.created) if record.finished else ""
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created))
        cells = (
            record.id,
            record.status,
            started,
            took,
            f"{record.tokens:,}",
            one_line(record.crew),
            one_line(record.request, 200),
        )
        table.add_row(*(Text(cell) for cell in cells))
    with console.capture() as picture:
        console.print(table)
    for line in picture.get().splitlines():
        print(line if console.is_terminal else line.rstrip())
