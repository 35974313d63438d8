"""Owns `crewgraph memory`: what agents remember of earlier runs, listed, shown, and forgotten for good."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from ..session import Session, block_on
from .kept.removal import agreed, read_age

if TYPE_CHECKING:
    from ....agents.memory.entry import Entry
    from ....agents.memory.memory import Memory

    _Choose = Callable[[Memory], Awaitable[list[Entry]]]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this tenant.")]
_MOST_ABOUT = 20

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List what agents remember of earlier runs, show it, and forget it for good.",
)


@app.command("list")
def list_command(
    ctx: typer.Context,
    about: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="Only what this recalls.")] = None,
    tenant: Tenant = None,
    every: Annotated[
        bool, typer.Option("--all", help="Earlier values too, whose place others took.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    as_json: AsJson = False,
) -> int:
    """List memories, newest first, or those that a query recalls, best first."""
    session: Session = ctx.obj
    entries = block_on(_listed(session, about, tenant, every=every))[:limit]
    if as_json:
        from ..pictures.report import print_json

        print_json({"memories": [entry.model_dump(mode="json") for entry in entries]})
    elif entries:
        _print(entries)
    else:
        print(_none(session, about))
    return 0


@app.command("show")
def show_command(
    ctx: typer.Context,
    memory: Annotated[str, typer.Argument(metavar="MEMORY", help="Which (its id, or the beginning of it).")],
    as_json: AsJson = False,
) -> int:
    """Show one memory: who said it in which run, for whom it is, what was said before."""
    session: Session = ctx.obj
    entry, before = block_on(_shown(session, memory))
    if as_json:
        from ..pictures.report import print_json

        print_json(
            {"memory": entry.model_dump(mode="json"), "before": [e.model_dump(mode="json") for e in before]}
        )
    else:
        _print_one(entry, before)
    return 0


@app.command("forget")
def forget_command(
    ctx: typer.Context,
    memories: Annotated[
        list[str] | None, typer.Argument(metavar="[MEMORY...]", help="Which (ids, or their beginnings).")
    ] = None,
    about: Annotated[str | None, typer.Option(metavar="QUERY", help="What this recalls.")] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="What was last said so long ago: 90d, 4w."),
    ] = None,
    faded: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="What has faded to less than this (1 is fresh, 0 is gone)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All, or all of the tenant's.")] = False,
    tenant: Tenant = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Forget memories for good: their bytes leave the disk. A fact takes its earlier values along."""
    from ....runtime.errors import InvalidInput

    session: Session = ctx.obj
    if [bool(memories), about is not None, older_than is not None, faded is not None, every].count(True) != 1:
        raise InvalidInput("Say what to forget: ids, or one of --about, --older-than, --faded and --all.")
    before = time.time() - read_age(older_than) if older_than is not None else None

    async def chosen(memory: Memory) -> list[Entry]:
        if memories:
            return [await _one(memory, which, tenant) for which in memories]
        if about is not None:
            return (await _recalled(memory, about, tenant))[:_MOST_ABOUT]
        now = time.time()
        return [
            entry
            for entry in await memory.entries(tenant)
            if every
            or (before is not None and entry.at < before)
            or (faded is not None and entry.strength(now) < faded)
        ]

    gone = block_on(
        _forget(session, chosen, tenant, sure=yes or bool(memories), wholly=every, as_json=as_json)
    )
    if as_json:
        from ..pictures.report import print_json

        print_json({"forgotten": gone or []})
    elif gone is not None:
        print(f"Forgot {_memories(len(gone))}.")
    return 0


def _open(session: Session) -> AbstractAsyncContextManager[Memory | None]:
    from ...remembering import remembering

    return remembering(session.settings)


async def _listed(session: Session, about: str | None, tenant: str | None, *, every: bool) -> list[Entry]:
    async with _open(session) as memory:
        if memory is None:
            return []
        if about is not None:
            return await _recalled(memory, about, tenant)
        return [entry for entry in await memory.entries(tenant) if every or not entry.superseded_by]


async def _recalled(memory: Memory, about: str, tenant: str | None) -> list[Entry]:
    """What a query recalls, whoever it is for within a tenant: whoever keeps the folder may read all of it."""
    return await memory.search(about, tenant)


async def _shown(session: Session, which: str) -> tuple[Entry, list[Entry]]:
    from ....runtime.errors import NotFound

    async with _open(session) as memory:
        if memory is None:
            raise NotFound(_none(session))
        entry = await _one(memory, which, None)
        if entry.kind != "entity":
            return entry, []
        told = [
            e
            for e in await memory.entries(entry.scope.tenant)
            if e.kind == "entity" and e.about == entry.about
        ]
        return entry, [e for e in told if e.scope == entry.scope and e.id != entry.id]


async def _one(memory: Memory, which: str, tenant: str | None) -> Entry:
    from ....runtime.errors import NotFound

    found = [entry for entry in await memory.entries(tenant) if entry.id.startswith(which)]
    if len(found) != 1:
        told = f"{len(found)} memories begin" if found else "No memory begins"
        raise NotFound(f"{told} with {which!r}: crewgraph memory list shows them.")
    return found[0]


async def _forget(
    session: Session, chosen: _Choose, tenant: str | None, *, sure: bool, wholly: bool, as_json: bool
) -> list[str] | None:
    """The ids of what is gone; None where a person said no."""
    from ....runtime.errors import InvalidInput

    async with _open(session) as memory:
        entries = await chosen(memory) if memory is not None else []
        if memory is None or not entries:
            return []
        if not sure:
            said = f"{_memories(len(entries))} would be forgotten"
            if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise InvalidInput(f"{said}: say --yes to forget them for good.")
            _print(entries[:_MOST_ABOUT])
            if not await agreed(f"{said}. Forget them for good? [y/N] "):
                print("Nothing was forgotten.")
                return None
        if wholly:
            for one in [tenant] if tenant is not None else await memory.tenants():
                await memory.forget_tenant(one)
            return [entry.id for entry in entries]
        return await memory.forget(*(entry.id for entry in entries), tenant=tenant)


def _none(session: Session, about: str | None = None) -> str:
    from ...remembering import place_of_memories

    if place_of_memories(session.settings) is None:
        why = "they would not be encrypted" if session.settings.database_keys else "CREWGRAPH_MEMORY says so"
        return f"No memories are kept: {why}."
    return "Nothing about that is remembered." if about is not None else "Nothing is remembered yet."


def _print(entries: Sequence[Entry]) -> None:
    from ..pictures.console import Column, print_table, when
    from ..screens.text import one_line

    tenants = any(entry.scope.tenant for entry in entries)
    columns = [
        Column("MEMORY"),
        Column("SAID", spare=3),
        Column("BY", most=12, spare=2),
        Column("KIND", spare=4),
        *([Column("TENANT", most=12, spare=5)] if tenants else []),
        Column("FOR", most=24, spare=1),
        Column("WHAT", rest=True),
    ]
    rows = [
        [
            entry.id[:8],
            when(entry.at),
            one_line(entry.provenance[-1].by if entry.provenance else ""),
            entry.kind,
            *([one_line(entry.scope.tenant)] if tenants else []),
            one_line(_whom(entry)),
            ("(was) " if entry.superseded_by else "") + one_line(entry.text, 200),
        ]
        for entry in entries
    ]
    print_table(columns, rows)


def _print_one(entry: Entry, before: Sequence[Entry]) -> None:
    from ..pictures.console import when
    from ..screens.text import one_line

    print(f"{entry.id}  {entry.kind}")
    print(one_line(entry.text, 2_000))
    if entry.kind == "entity":
        print(f"{one_line(entry.subject)} · {one_line(entry.attribute)}: {one_line(entry.value)}")
    print(
        f"for: {one_line(', '.join(part for part in (entry.scope.tenant, _whom(entry)) if part)) or 'everybody'}"
    )
    print(f"confidence: {entry.confidence:g}, {entry.strength():.0%} of it left")
    if entry.expires is not None:
        print(f"expires: {when(entry.expires)}")
    for said in entry.provenance:
        places = [f"run {said.run_id}" * bool(said.run_id), f"conversation {said.thread}" * bool(said.thread)]
        print(
            f"said: {when(said.at)} by {one_line(said.by) or 'somebody'}  {'  '.join(p for p in places if p)}".rstrip()
        )
    if entry.superseded_by:
        print(f"superseded by: {entry.superseded_by}")
    for other in before:
        print(
            f"{'now' if not other.superseded_by else 'also'}: {one_line(other.value)} ({other.id[:8]}, {when(other.at)})"
        )


def _whom(entry: Entry) -> str:
    scope = entry.scope
    return ", ".join(
        f"{name} {value}"
        for name, value in (
            ("crew", scope.crew), ("agent", scope.agent), ("user", scope.user), ("thread", scope.thread)
        )
        if value
    )  # fmt: skip


def _memories(count: int) -> str:
    return "1 memory" if count == 1 else f"{count:,} memories"
