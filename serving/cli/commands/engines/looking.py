"""Owns `crewgraph engine status`, `list` and `logs`: how engines are, and what they printed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ...session import block_on
from .common import AsJson, Which, say, settings_of

if TYPE_CHECKING:
    from ....engines import EngineStatus


def status_command(ctx: typer.Context, engine: Which = "embedded", as_json: AsJson = False) -> None:
    """Say whether an engine is installed, running and answering, how busy it is, and what went wrong.

    The exit code is 2 when it runs and does not answer.
    """
    from dataclasses import asdict

    from ....engines import engine_status

    status = block_on(engine_status(settings_of(ctx), engine))
    say(asdict(status), "\n".join(described(status, time.time())), as_json)
    if status.running and status.problem:
        raise typer.Exit(2)


def list_command(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the engines: what is installed, pulled and running."""
    from dataclasses import asdict

    from ....engines import engine_list

    found = block_on(engine_list(settings_of(ctx)))
    if as_json:
        print(json.dumps({"engines": [asdict(status) for status in found]}))
        return
    _table(
        ("engine", "installed", "model", "running at", "serves"),
        [(s.name, _yes(s.installed), _yes(s.model_present), s.url or "-", s.model) for s in found],
    )


def logs_command(
    ctx: typer.Context,
    engine: Which = "embedded",
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=1, help="How many lines, from the end.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what it prints, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what an engine printed, over all its restarts."""
    from .....runtime.errors import NotFound
    from ....engines.keeping.log import tail
    from ....engines.place import Place

    place = Place.of(settings_of(ctx), engine)
    if not place.log.exists():
        raise NotFound(f"The {engine} engine has no log yet; it gets one when it is started.")
    program = shutil.which("tail") if follow else None
    if program is not None:  # it is told of new lines by the system, and knows a log that was begun anew
        sys.stdout.flush()
        os.execv(program, [program, "-n", str(lines), "-F", str(place.log)])
    for line in tail(place.log, lines):
        print(line)


def described(status: EngineStatus, now: float) -> list[str]:
    """The lines for people."""
    lines = [f"{status.name}: {'running' if status.running else 'not running'}"]
    if status.running:
        stay = "until 'crewgraph engine stop'" if status.kept else "until nobody uses it"
        lines.append(f"  serves {status.model} at {status.url} (pid {status.pid}, {stay})")
        if status.adapters:
            lines.append(f"  adapters: {', '.join(status.adapters)}")
        if status.started is not None:
            lines.append(f"  up for {_span(now - status.started)}, was ready after {status.ready_s:.1f} s")
        if load := _load(status):
            lines.append(f"  {load}")
    if status.restarts:
        times = "once" if status.restarts == 1 else f"{status.restarts} times"
        lines.append(f"  started again {times}, the last time because {status.fault}")
    if status.stage:
        lines.append(f"  now: {status.stage}")
    lines.append(f"  installed: {_yes(status.installed)}, model pulled: {_yes(status.model_present)}")
    return [*lines, f"  problem: {status.problem}"] if status.problem else lines


def _load(status: EngineStatus) -> str:
    load = status.load
    parts = []
    if load.running is not None:
        parts.append(f"{load.running} running")
    if load.waiting is not None:
        parts.append(f"{load.waiting} waiting")
    requests = f"requests: {', '.join(parts)}" if parts else ""
    cache = f"KV cache: {load.kv_cache:.0%} in use" if load.kv_cache is not None else ""
    return "; ".join(part for part in (requests, cache) if part)


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
