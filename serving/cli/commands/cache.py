"""Owns `crewgraph cache`: what is kept of models' replies, and taking it away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from ...client.caching import CacheSize, ReplyStore

T = TypeVar("T")

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="URL",
        envvar="CREWGRAPH_CACHE",
        help="The store: a file, redis://, valkey:// or memcached://. Left out: the file in the home folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Show how many replies are kept, and take them away."
)


@app.callback(invoke_without_command=True)
def show_command(ctx: typer.Context, at: At = None, as_json: AsJson = False) -> int:
    """Show how many replies of models are kept, and where."""
    if ctx.invoked_subcommand is not None:
        _refuse_before(ctx)
        return 0
    name, size = block_on(_asked(ctx.obj, at, lambda store: store.size()))
    if as_json:
        from ..pictures.report import print_json

        print_json(
            {"cache": name, "entries": size.entries if size else 0, "bytes": size.bytes if size else 0}
        )
    else:
        print(f"{name}: {_told(size)}")
    return 0


@app.command("prune")
def prune_command(ctx: typer.Context, at: At = None, as_json: AsJson = False) -> int:
    """Take away the replies whose time is over. Servers do so by themselves."""
    name, count = block_on(_asked(ctx.obj, at, lambda store: store.prune()))
    if as_json:
        from ..pictures.report import print_json

        print_json({"cache": name, "pruned": count or 0})
    else:
        print(f"{name}: took away {_replies(count or 0)} whose time was over.")
    return 0


@app.command("clear")
def clear_command(ctx: typer.Context, at: At = None, as_json: AsJson = False) -> int:
    """Take away all kept replies, and nothing else of the store."""

    async def clear(store: ReplyStore) -> CacheSize:
        size = await store.size()
        await store.clear()
        return size

    name, size = block_on(_asked(ctx.obj, at, clear))
    count = size.entries if size else 0
    if as_json:
        from ..pictures.report import print_json

        print_json({"cache": name, "cleared": count})
    else:
        print(f"{name}: took away {'all replies' if count is None else _replies(count)}.")
    return 0


def _refuse_before(ctx: typer.Context) -> None:
    """Nobody shall clear another store than the one that was meant."""
    from ....runtime.errors import InvalidInput

    source = ctx.get_parameter_source("at")
    if source is not None and source.name == "COMMANDLINE":
        raise InvalidInput(f"Write --at after {ctx.invoked_subcommand}, not before it.")


async def _asked(
    session: Session, at: str | None, work: Callable[[ReplyStore], Awaitable[T]]
) -> tuple[str, T | None]:
    """The store's name, and what the work gave; None where there is no file yet, and none is made to say so."""
    from ....runtime.errors import CrewgraphError, StoreError
    from ...client.caching.store import default_cache, open_cache

    store = open_cache(at or default_cache(session.settings.home))
    try:
        if not store.there:
            return store.name, None
        return store.name, await work(store)
    except CrewgraphError:
        raise
    except Exception as error:  # of the client of a server: each has errors of its own
        raise StoreError(
            f"The cache {store.name} cannot be used ({error}): see that it runs, or name another one."
        ) from error
    finally:
        await store.aclose()


def _told(size: CacheSize | None) -> str:
    if size is None:
        return "no replies yet."
    if size.entries is None:
        return "it answers, and cannot tell how many replies it keeps."
    told = _replies(size.entries)
    if size.bytes is None:
        return f"{told}."
    from ..screens.text import size as readable

    return f"{told}, {readable(size.bytes)}."


def _replies(count: int) -> str:
    return "1 reply" if count == 1 else f"{count:,} replies"
