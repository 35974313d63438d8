"""Owns `crewgraph plans`: the plans that worked, which planning learns from, listed and taken away."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on
from .removal import agreed

if TYPE_CHECKING:
    from .....planner.memory.entry import Entry
    from .....planner.memory.memory import PlanMemory

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this tenant's runs.")]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="List plans that worked, which planning learns from, and take them away.",
)


@app.callback(invoke_without_command=True)
def list_command(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> int:
    """List plans that worked, newest first, which planning learns from, and take them away."""
    if ctx.invoked_subcommand is not None:
        if tenant is not None:  # nobody shall take away more than was meant
            from .....runtime.errors import InvalidInput

            raise InvalidInput(f"Write --tenant after {ctx.invoked_subcommand}, not before it.")
        return 0
    session: Session = ctx.obj
    entries = block_on(_entries(session, tenant))[:limit]
    if as_json:
        from ...pictures.report import print_json

        print_json({"plans": [entry.model_dump(mode="json") for entry in entries]})
    elif entries:
        _print(entries)
    else:
        print(_none(session))
    return 0


@app.command("forget")
def forget_command(
    ctx: typer.Context,
    plans: Annotated[list[str], typer.Argument(metavar="PLAN...", help="Which (ids, or their beginnings).")],
    as_json: AsJson = False,
) -> int:
    """Take plans away, so that nothing is planned after them again."""
    session: Session = ctx.obj
    gone = block_on(_forget(session, plans))
    if as_json:
        from ...pictures.report import print_json

        print_json({"forgotten": gone})
    else:
        print(f"Took away {_plans(len(gone))}.")
    return 0


@app.command("clear")
def clear_command(
    ctx: typer.Context,
    tenant: Tenant = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Take all kept plans away."""
    session: Session = ctx.obj
    count = block_on(_clear(session, tenant, yes=yes, as_json=as_json))
    if as_json:
        from ...pictures.report import print_json

        print_json({"cleared": count or 0})
    elif count is not None:
        print(f"Took away {_plans(count)}.")
    return 0


@asynccontextmanager
async def _memory(session: Session) -> AsyncIterator[PlanMemory | None]:
    from ....planmemory import plan_memory

    async with plan_memory(session.settings) as memory:
        yield memory


async def _entries(session: Session, tenant: str | None) -> list[Entry]:
    async with _memory(session) as memory:
        return await memory.entries(tenant) if memory is not None else []


async def _forget(session: Session, wanted: list[str]) -> list[str]:
    from .....runtime.errors import NotFound

    async with _memory(session) as memory:
        ids = [entry.id for entry in await memory.entries()] if memory is not None else []
        gone: list[str] = []
        for which in wanted:
            found = [name for name in ids if name.startswith(which)]
            if len(found) != 1:
                told = f"{len(found)} kept plans begin" if found else "No kept plan begins"
                raise NotFound(f"{told} with {which!r}: crewgraph plans lists them.")
            gone += found
        if memory is not None:
            await memory.forget(*gone)
        return gone


async def _clear(session: Session, tenant: str | None, *, yes: bool, as_json: bool) -> int | None:
    """How many were taken away; None where a person said no."""
    from .....runtime.errors import InvalidInput

    async with _memory(session) as memory:
        count = len(await memory.entries(tenant)) if memory is not None else 0
        if memory is None or not count:
            return 0
        if not yes:
            said = f"{_plans(count)} would be taken away"
            if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise InvalidInput(f"{said}: say --yes to take them away for good.")
            if not await agreed(f"{said}. Take them away for good? [y/N] "):
                print("Nothing was taken away.")
                return None
        return await memory.clear(tenant)


def _none(session: Session) -> str:
    from ....planmemory import place_of_plans

    if place_of_plans(session.settings) is None:
        why = "they would not be encrypted" if session.settings.database_keys else "CREWGRAPH_PLANS says so"
        return f"No plans are kept: {why}."
    return "No plans are kept yet: a plan that a model makes is kept once all of its tasks have succeeded."


def _print(entries: list[Entry]) -> None:
    from ...pictures.console import Column, print_table, when
    from ...screens.text import one_line

    tenants = any(entry.tenant for entry in entries)
    columns = [
        Column("PLAN"),
        Column("LAST USED", spare=3),
        Column("WORKED", right=True),
        Column("FAILED", right=True, spare=1),
        Column("CREW", most=12, spare=5),
        *([Column("TENANT", most=12, spare=4)] if tenants else []),
        Column("TOOLS", most=30, spare=2),
        Column("REQUEST", rest=True),
    ]
    rows = [
        [
            entry.id[:8],
            when(entry.at),
            f"{entry.worked:,}",
            f"{entry.failed:,}",
            one_line(entry.crew),
            *([one_line(entry.tenant)] if tenants else []),
            ", ".join(entry.tools),
            one_line(entry.request, 200),
        ]
        for entry in entries
    ]
    print_table(columns, rows)


def _plans(count: int) -> str:
    return "1 plan" if count == 1 else f"{count:,} plans"
