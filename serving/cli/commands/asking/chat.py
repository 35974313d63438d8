"""Owns `crewgraph chat`: a conversation with a crew, kept in a thread that can be continued."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import Session, block_on

if TYPE_CHECKING:
    from .....agents.crew import Crew
    from .....runtime.store import Store
    from ....house import Outcome
    from ...screens.screen import Screen
    from .going_on import Sight

_LEAVE = frozenset({"/quit", "/exit", "/q"})


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The Python file that defines the crew.")],
    thread: Annotated[
        str | None, typer.Option(metavar="THREAD", help="Continue this conversation (`last`: the newest).")
    ] = None,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="For whom: their budget is used.")] = "",
) -> int:
    """Talk with a crew in a conversation that is kept. `/quit` leaves."""
    from ....crewfile import load_crew

    session: Session = ctx.obj
    return block_on(_chat(session, load_crew(file), thread, str(Path(file).resolve()), tenant))


async def _chat(session: Session, crew: Crew, thread: str | None, file: str, tenant: str) -> int:
    from ...screens.lines import typed_lines
    from .going_on import open_sight

    talking = sys.stdin.isatty() and sys.stdout.isatty()
    async with open_sight(session) as sight:
        thread_id = await _thread(sight.house.store, thread, crew)
        if talking:
            print(
                f"Talking with {crew.name}. /quit leaves; what is said is kept in conversation {thread_id}."
            )
        try:
            async for line in typed_lines("you> " if talking else ""):
                if line.strip() in _LEAVE:
                    break
                if line.strip():
                    await _turn(session, sight, crew, line, thread_id, file, tenant, talking=talking)
        finally:
            print(f"Continue with: crewgraph chat {file} --thread {thread_id}", file=sys.stderr)
    return 0


async def _thread(store: Store, wanted: str | None, crew: Crew) -> str:
    from .....runtime.errors import NotFound

    if wanted is None:
        return (await store.create_thread(crew.name)).id
    if wanted != "last":
        return (await store.thread(wanted)).id
    newest = await store.list_threads(limit=1)
    if not newest:
        raise NotFound("There is no conversation to continue yet: leave --thread out to begin one.")
    return newest[0].id


async def _turn(
    session: Session,
    sight: Sight,
    crew: Crew,
    line: str,
    thread_id: str,
    file: str,
    tenant: str,
    *,
    talking: bool,
) -> None:
    from .....runtime.errors import CrewgraphError
    from ...failure import Failure
    from ...pictures.report import print_answer

    def ask(screen: Screen) -> Awaitable[Outcome]:
        return sight.house.ask(
            crew, line, thread_id=thread_id, listeners=[screen.event], crew_path=file, tenant=tenant
        )

    try:
        outcome = await sight.ask(crew, ask)
    except CrewgraphError as error:
        if not talking:
            raise
        Failure.of(error).tell(error, debug=session.debug)
    else:
        print_answer(outcome)
