"""Owns `crewgraph worker`: a process that carries runs and tasks for others, over PostgreSQL, until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....runtime.cluster.workflows.queues import Queue


def command(
    ctx: typer.Context,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many of one queue a worker carries at once; kept with the queue, for all workers (8 at first).",
        ),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=LIMIT]",
            help="Take work from this queue (again for more), of which LIMIT may be under way at once in the whole "
            "cluster. Without it: `runs` and `tasks`.",
        ),
    ] = None,
    grace: Annotated[
        int,
        typer.Option(
            min=0, help="Seconds that work under way gets to end after a stop; then others go on with it."
        ),
    ] = 10,
) -> int:
    """Carry runs and tasks for others, over PostgreSQL (give --database)."""
    from importlib.util import find_spec

    from ....runtime.errors import InvalidInput

    session: Session = ctx.obj
    if find_spec("dbos") is None:
        raise InvalidInput('A worker needs DBOS, which is not installed: pip install "crewgraph[cluster]".')
    from ....runtime.cluster.workflows.queues import BOTH, Queue

    if session.debug:
        import logging

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    queues = [Queue.parse(text) for text in queue] if queue else BOTH
    return block_on(_work(session, queues, concurrency, grace))


async def _work(session: Session, queues: Sequence[Queue], concurrency: int | None, grace: int) -> int:
    import asyncio
    import signal

    from ....runtime.cluster.server import CutOff
    from ...cluster import carry

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    mine = asyncio.current_task()
    assert mine is not None

    def asked_to_stop() -> None:
        if stop.is_set():
            mine.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop)
    try:
        await carry(
            session.settings,
            queues,
            concurrency=concurrency,
            grace=grace,
            stop=stop,
            on_ready=lambda name: _say(name, queues),
        )
    except CutOff as error:
        if stop.is_set():
            raise
        await _join_again(str(session.settings.database), error)
    return 0


def _say(name: str, queues: Sequence[Queue]) -> None:
    print(
        f"Worker {name} takes work from {', '.join(queue.name for queue in queues)} (Ctrl-C stops it).",
        flush=True,
    )


async def _join_again(url: str, error: Exception) -> None:
    """Begin anew as another worker, once the database answers again. Nothing of this process is left then.

    A fresh program, because DBOS's threads may still wait for connections that are gone, and a tool may still run in a
    thread that cannot be stopped.
    """
    import asyncio
    import os
    import sys

    from ....runtime.cluster.members.link import connect
    from ....runtime.errors import StoreError

    print(f"crewgraph: {error} It joins again when the database answers.", file=sys.stderr, flush=True)
    wait = 0.5
    while True:
        try:
            await (await connect(url, "crewgraph knocks")).close()
            break
        except StoreError:
            await asyncio.sleep(wait)
            wait = min(2 * wait, 10.0)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
