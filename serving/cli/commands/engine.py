"""Owns ``crewgraph engine``: the list of what can be done with model engines."""

from __future__ import annotations

import typer

from .engines import fetching, looking, running

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Pull, start, stop and list model engines. Commands start the embedded engine by themselves.",
)
app.command("pull")(fetching.pull_command)
app.command("install")(fetching.install_command)
app.command("start")(running.start_command)
app.command("stop")(running.stop_command)
app.command("status")(looking.status_command)
app.command("list")(looking.list_command)
app.command("logs")(looking.logs_command)
