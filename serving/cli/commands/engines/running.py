"""Owns `crewgraph engine start` and `stop`: an engine that stays until it is told to go."""

from __future__ import annotations

from typing import Annotated

import typer

from ...session import block_on
from .common import AsJson, Which, say, settings_of


def start_command(
    ctx: typer.Context,
    engine: Which = "embedded",
    flags: Annotated[
        list[str] | None, typer.Argument(metavar="[-- FLAGS]", help="Flags of vLLM's own, behind a --.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="What to serve: a GGUF file (embedded), a model folder (vllm)."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What requests call it; its file's name unless given.")
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A LoRA adapter and its name; several are allowed."),
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=256, help="Threads of the embedded engine.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=4096, help="Requests it answers at once.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(metavar="N", min=64, help="Tokens of prompt and reply together, of each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start an engine that stays until `engine stop`.

    It is watched: one that dies or freezes is started again on the same port.
    """
    from ....engines import Adapter, Wishes, start_engine
    from ....engines.bar import progress_bar

    wishes = Wishes(
        model=model,
        name=name,
        adapters=tuple(Adapter.parse(text) for text in adapter or ()),
        threads=threads,
        slots=slots,
        context=context,
        extra=tuple(flags or ()),
    )
    with progress_bar() as show:
        work = start_engine(settings_of(ctx), engine, port=port, wishes=wishes, on_progress=show)
        state = block_on(work)
    adapters = f" with the adapters {', '.join(state.adapters)}" if state.adapters else ""
    say(
        {
            "engine": engine,
            "url": state.url,
            "pid": state.pid,
            "model": state.model,
            "adapters": list(state.adapters),
        },
        f"{engine} serves {state.model}{adapters} at {state.url} (pid {state.pid})",
        as_json,
    )


def stop_command(ctx: typer.Context, engine: Which = "embedded", as_json: AsJson = False) -> None:
    """Stop an engine and wait until it is gone."""
    from ....engines import stop_engine

    state = block_on(stop_engine(settings_of(ctx), engine))
    line = f"{engine} did not run" if state is None else f"{engine} stopped (pid {state.pid})"
    say({"engine": engine, "stopped": state is not None}, line, as_json)
