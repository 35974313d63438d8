"""Owns the list of commands, and loads a command's module only when that command is called.

The help of the root needs names and one line each, so it shows stand-ins; `resolve_command` puts the real
command in the stand-in's place.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command


class Entry(NamedTuple):
    """A command: its module below `commands`, its line in the help, and options it has that the root has too.

    The module has a `command`, or an `app` where the command has commands of its own.
    """

    module: str
    line: str
    own: frozenset[str] = frozenset()


COMMANDS: dict[str, Entry] = {
    "run": Entry("asking.run", "Ask a crew once and print its answer."),
    "plan": Entry("asking.plan", "Show the plan for a request and what it would take, and do nothing."),
    "draw": Entry("draw", "Draw the graph of an architecture, or those of a crew's agents."),
    "chat": Entry("asking.chat", "Talk with a crew in a conversation that is kept."),
    "serve": Entry("serve", "Serve a crew as an OpenAI-compatible chat API."),
    "resume": Entry("asking.resume", "Go on with a run that was broken off."),
    "questions": Entry("people.questions", "List what runs wait for a person to say."),
    "answer": Entry("people.answer", "Answer a question of a run, and let it go on."),
    "show": Entry("past.show", "Look into a run: tasks, steps, inputs, outputs, evidence."),
    "replay": Entry("past.replay", "Run a finished run again from its journal, without a model."),
    "fork": Entry("past.fork", "Go on from the middle of a run, changed or not.", frozenset({"--model"})),
    "diff": Entry("past.diff", "Compare two runs: what changed first, and what followed."),
    "bisect": Entry("past.bisect", "Find the step that made a run's answer wrong."),
    "eval": Entry("evaluate", "Hold a crew against a dataset, and compare versions."),
    "runs": Entry("kept.runs", "List runs; export, import, verify, prune, delete them."),
    "threads": Entry("kept.threads", "List conversations, and delete them."),
    "plans": Entry("kept.plans", "List plans that worked, which planning learns from, and take them away."),
    "memory": Entry("memory", "List what agents remember, show it, and forget it for good."),
    "cache": Entry("cache", "Show how many replies of models are kept, and take them away."),
    "worker": Entry("worker", "Carry tasks and runs for other processes, until it is stopped."),
    "engine": Entry("engine", "Pull, start, stop and list model engines.", frozenset({"--model"})),
    "new": Entry("new", "Make a project: a crew, its tools and its tests, which run at once."),
    "schema": Entry("schema", "Print the JSON schema of crew files in YAML, for editors."),
    "doctor": Entry("doctor", "Check this installation and say what to do about problems."),
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
    for name, entry in COMMANDS.items():
        app.command(name, help=entry.line)(_stand_in)
    return app


def _stand_in() -> None:
    """Nothing: replaced before it could be called."""


def _load(name: str) -> typer.Typer:
    module = import_module(f".commands.{COMMANDS[name].module}", __package__)
    if hasattr(module, "app"):
        group: typer.Typer = module.app
        return group
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=module.command.__doc__)(module.command)
    return app
