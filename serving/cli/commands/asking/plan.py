"""Owns `crewgraph plan`: the plan for a request, drawn, with what it would take and what is to be said about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .....planner.ways import Mode
from ...session import Session, block_on

if TYPE_CHECKING:
    from .planning import Planned


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The Python file that defines the crew.")],
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="What to plan; `-` reads it from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print a Mermaid flowchart and nothing else.")
    ] = False,
    svg: Annotated[str | None, typer.Option(metavar="PATH", help="Draw it into this SVG file too.")] = None,
    planner: Annotated[
        Mode, typer.Option(help="Who makes the plan: see the page on planning; auto takes what fits.")
    ] = "auto",
    tokens: Annotated[int | None, typer.Option(min=1, help="The tokens that it may take.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.001, help="The seconds that it may take.")] = None,
    tool_calls: Annotated[int | None, typer.Option(min=0, help="The tool calls that it may make.")] = None,
    money: Annotated[float | None, typer.Option(min=0, help="The money that it may cost.")] = None,
    soft: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The part of a limit (0.8) from which to go the cheaper way."),
    ] = None,
) -> int:
    """Show the plan for a request: its tasks, what they would take, what is to be said about it. Does nothing."""
    from .....planner.estimating.affordable import refuse
    from .....runtime.errors import InvalidInput
    from ....crewfile import load_crew
    from ...pictures.report import kept_for_json
    from .planning import plan_once, show
    from .request import budget_of, read_request

    session: Session = ctx.obj
    if as_json and mermaid:
        raise InvalidInput("--json and --mermaid each print nothing else: give one of them.")
    text, budget = read_request(request), budget_of(tokens, seconds, tool_calls, money, soft)
    with kept_for_json(as_json or mermaid):
        crew, path = load_crew(file), str(Path(file).resolve())
        planning = plan_once(session, crew, text, planner, path, budget, quiet=as_json or mermaid)
        planned = block_on(planning)
    if svg is not None:
        _draw(planned, text, svg)
    if mermaid:
        from .....planner.drawing.mermaid import mermaid as drawn

        refuse(planned.findings)
        typer.echo(drawn(planned.plan.tasks, planned.estimate), nl=False)
    else:
        show(planned, as_json=as_json)
    return 0


def _draw(planned: Planned, request: str, path: str) -> None:
    from .....planner.drawing.svg import svg
    from .....runtime.errors import InvalidInput
    from ...screens.text import one_line

    try:
        Path(path).write_text(
            svg(planned.plan.tasks, planned.estimate, title=one_line(request, 200)), "utf-8"
        )
    except OSError as error:
        raise InvalidInput(f"The plan cannot be drawn into {path!r}: {error.strerror or error}.") from None
