"""Owns `crewgraph threads`: the conversations that are kept, newest first, and taking one away."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....runtime.store import ThreadMessage, ThreadRecord

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="List conversations, newest first, and delete them."
)


@app.callback(invoke_without_command=True)
def list_command(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """List conversations, newest first, and delete them. Go on with one: crewgraph chat FILE --thread THREAD."""
    if ctx.invoked_subcommand is not None:
        return 0
    session: Session = ctx.obj
    threads = block_on(_threads(session, limit))
    if as_json:
        from ...pictures.report import print_json

        print_json({"threads": [{**asdict(thread), "messages": len(said)} for thread, said in threads]})
    elif threads:
        _print(threads)
    else:
        print("No conversations yet: crewgraph chat FILE begins one.")
    return 0


@app.command("delete")
def delete_command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="Which conversation (its whole id).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Take a conversation away for good, with its runs and their events."""
    session: Session = ctx.obj
    block_on(_delete(session, thread))
    if as_json:
        from ...pictures.report import print_json

        print_json({"deleted": thread})
    else:
        print(f"Took away conversation {thread}, its runs and their events.")
    return 0


async def _threads(session: Session, limit: int) -> list[tuple[ThreadRecord, list[ThreadMessage]]]:
    if not session.settings.has_runs:
        return []
    async with session.store() as store:
        return [(thread, await store.messages(thread.id)) for thread in await store.list_threads(limit=limit)]


async def _delete(session: Session, thread: str) -> None:
    async with session.past(thread) as store:
        await store.delete_thread(thread)


def _print(threads: list[tuple[ThreadRecord, list[ThreadMessage]]]) -> None:
    from ...pictures.console import Column, print_table, when
    from ...screens.text import one_line

    columns = [
        Column("THREAD"),
        Column("BEGUN"),
        Column("MESSAGES", right=True),
        Column("CREW", most=16, spare=1),
        Column("LAST SAID", rest=True),
    ]
    rows = [
        (
            thread.id,
            when(thread.created),
            f"{len(said):,}",
            one_line(thread.title),
            one_line(said[-1].content, 200) if said else "",
        )
        for thread, said in threads
    ]
    print_table(columns, rows)
