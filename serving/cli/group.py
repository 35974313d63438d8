"""Owns the list of commands, and loads a command's module only when that command is called.

The help of the root needs names and one line each, so it shows stand-ins; `resolve_command` puts the real
command in the stand-in's place.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS: dict[str, str] = {
    "run": "Ask a crew once and print its answer.",
    "chat": "Talk with a crew in a conversation that is kept.",
    "serve": "Serve a crew as an OpenAI-compatible chat API.",
    "runs": "List the runs of this machine, newest first.",
    "show": "Look into a run: tasks, steps, inputs, outputs, evidence.",
    "replay": "Run a finished run again from its journal, without a model.",
    "resume": "Go on with a run that was broken off.",
    "engine": "Pull, start, stop and list model engines.",
    "doctor": "Check this installation and say what to do about problems.",
}


class LazyGroup(TyperGroup):
    """The root command: knows all commands by name, imports the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run, loaded now."""
        if args and args[0] in COMMANDS:
            self.add_command(get_command(_load(args[0])), args[0])
        return super().resolve_command(ctx, args)


def make_app(root: Callable[..., Any]) -> typer.Typer:
    """The whole command line, with `root` taking the options that stand before the command."""
    app = typer.Typer(cls=LazyGroup, add_completion=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(root)
    for name, line in COMMANDS.items():
        app.command(name, help=line)(_stand_in)
    return app


def _stand_in() -> None:
    """Nothing: replaced before it could be called."""


def _load(name: str) -> typer.Typer:
    module = import_module(f".commands.{name}", __package__)
    if name == "engine":
        engine: typer.Typer = module.app
        return engine
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=module.command.__doc__)(module.command)
    return app
