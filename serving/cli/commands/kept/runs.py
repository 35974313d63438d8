"""Owns `crewgraph runs`: the runs that are kept, newest first, and the commands over them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...session import Session, block_on
from . import exchange, removal, verify

if TYPE_CHECKING:
    from .....runtime.store import RunRecord

Status = Literal["running", "waiting", "finished", "failed", "cancelled", "interrupted"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="List runs, newest first; export, import, verify, prune, delete them.",
)


@app.callback(invoke_without_command=True)
def list_command(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only those in this state.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Only those made for them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """List runs, newest first; export, import, verify, prune, delete them.

    A run is running, waiting (for a person: crewgraph questions), finished, failed, cancelled or interrupted
    (it is not over, and no process carries it out).
    """
    if ctx.invoked_subcommand is not None:
        return 0
    session: Session = ctx.obj
    records = block_on(_records(session, limit, status, tenant))
    if as_json:
        from ...pictures.report import print_json

        print_json({"runs": [asdict(record) for record in records]})
    elif records:
        _print(records)
    elif status or tenant:
        print("No such runs.")
    else:
        print('No runs yet: crewgraph run FILE "request" makes one.')
    return 0


app.command("export")(exchange.export_command)
app.command("import")(exchange.import_command)
app.command("verify")(verify.command)
app.command("prune")(removal.prune_command)
app.command("delete")(removal.delete_command)


async def _records(
    session: Session, limit: int, status: Status | None, tenant: str | None
) -> list[RunRecord]:
    if not session.settings.has_runs:
        return []
    async with session.store() as store:
        return await store.list_runs(limit=limit, status=status, tenant=tenant)


def _print(records: list[RunRecord]) -> None:
    from ...pictures.console import Column, print_table, when
    from ...screens.text import one_line, seconds

    columns = [
        Column("RUN"),
        Column("STATE"),
        Column("STARTED", spare=3),
        Column("TOOK", right=True, spare=2),
        Column("TOKENS", right=True, spare=1),
        Column("CREW", most=12, spare=5),
        *([Column("TENANT", most=12, spare=4)] if any(record.tenant for record in records) else []),
        Column("REQUEST", rest=True),
    ]
    tenants = any(record.tenant for record in records)
    rows = []
    for record in records:
        took = record.seconds or (record.finished - record.created if record.finished else 0.0)
        rows.append(
            [
                record.id,
                record.status,
                when(record.created),
                seconds(took) if record.finished or record.status == "waiting" else "",
                f"{record.tokens:,}",
                one_line(record.crew),
                *([one_line(record.tenant)] if tenants else []),
                one_line(record.request, 200),
            ]
        )
    print_table(columns, rows)
