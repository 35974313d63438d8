"""Owns the `crewgraph` command itself: the options before a command, and how every command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .group import COMMANDS, make_app

_FLAGS = {"--debug"}
_VALUED = {"--home", "--database", "--model-url", "--model"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = _options_first(list(sys.argv[1:] if arguments is None else arguments))
    debug = "--debug" in given[: _first_command(given)]
    try:
        code: Any = typer.main.get_command(make_app(_root)).main(
            args=given, prog_name="crewgraph", standalone_mode=False
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        helps = getattr(error, "format_message", None)
        if type(error).__name__ == "NoArgsIsHelpError" and callable(helps):  # a group without its command
            print(helps(), file=sys.stderr)
            return 2
        from .failure import Failure

        failure = Failure.of(error)
        if "--json" in given:
            from .pictures.report import print_json

            print_json({"error": {"code": failure.code, "message": failure.sentence, **failure.told}})
        failure.tell(error, debug=debug)
        return failure.exit_code


def _root(
    ctx: typer.Context,
    home: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where runs, models and engine state are kept.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A PostgreSQL or SQLite database instead of the file in that folder."
        ),
    ] = None,
    model_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="An OpenAI-compatible server to use instead of the embedded engine."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which of its models to use.")] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something goes wrong.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> int:
    """Crews of agents that plan, act and answer on a local model, and remember every step.

    These options may also stand behind the command. RUN is a run's id, the unique beginning of one, or
    `last`; FILE is the Python file that defines the crew.
    """
    if version:
        from .commands.doctor import installed_version

        print(f"crewgraph {installed_version('crewgraph') or 'from a source tree'}")
        return 0
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())
        return 0
    from .session import Session

    ctx.obj = Session.make(home, database, model_url, model, debug=debug)
    return 0


def _first_command(given: list[str]) -> int:
    """Where the command stands among the arguments (their number when there is none)."""
    skip = False
    for place, argument in enumerate(given):
        if skip:
            skip = False
        elif argument in _VALUED:
            skip = True
        elif not argument.startswith("-"):
            return place
    return len(given)


def _options_first(given: list[str]) -> list[str]:
    """Options of the root moved to the front, so that `run FILE "…" --model-url URL` works as typed."""
    place = _first_command(given)
    if place == len(given) or given[place] not in COMMANDS:
        return given
    valued = _VALUED - COMMANDS[given[place]].own
    front, rest, behind = given[:place], [given[place]], iter(given[place + 1 :])
    for argument in behind:
        if argument == "--":
            rest += [argument, *behind]
        elif argument in _FLAGS or argument.partition("=")[0] in valued:
            value = [next(behind, "")] if argument in valued else []
            front += [argument, *value]
        else:
            rest.append(argument)
    return [*front, *rest]


if __name__ == "__main__":
    sys.exit(main())
