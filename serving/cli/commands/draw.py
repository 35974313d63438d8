"""Owns `crewgraph draw`: the graphs by which agents reason, as pictures in text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from ....agents.agent import Agent

_ENDS = {"__start__": "start", "__end__": "end"}


def command(
    what: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="An architecture, such as react, or the file of a crew."),
    ],
    form: Annotated[
        Literal["mermaid", "text"],
        typer.Option("--format", help="mermaid: a flowchart for Mermaid; text: a line for each node."),
    ] = "mermaid",
) -> int:
    """Draw the graph of an architecture, or those of a crew's agents."""
    parts = [_part(title, way, agent, form) for title, way, agent in _wanted(what)]
    typer.echo("\n\n".join(parts))
    return 0


def _wanted(what: str) -> list[tuple[str, Any, Agent | None]]:
    """What is to be drawn: a title, the architecture, and one of the agents that use it.

    Raises:
        InvalidCrew: there is no such architecture, or the crew file is wrong.
    """
    from ....agents.architectures import NAMES, architecture, architecture_of
    from ...crewfile import load_crew
    from ..screens.text import one_line

    path = Path(what)
    if what in NAMES or not (path.suffix or path.exists()):
        return [(what, architecture(what), None)]
    crew = load_crew(what)
    agents = [*crew.agents, *([crew.manager] if crew.manager is not None else [])]
    found: list[tuple[list[str], Any, Agent]] = []
    for agent in agents:
        way = architecture_of(agent) if agent.architecture is not None else None
        same = next((roles for roles, other, _ in found if other == way), None)
        if same is not None:
            same.append(agent.role)
        else:
            found.append(([agent.role], way, agent))
    return [
        (one_line(f"{', '.join(roles)}: {'none' if way is None else way.name}", 200), way, agent)
        for roles, way, agent in found
    ]


def _part(title: str, way: Any, agent: Agent | None, form: str) -> str:
    from ....agents.architectures.architecture import Drawable

    if way is None:
        said = "It has no architecture: it writes, and where its model is trusted it calls tools first."
        return _noted(title, said, form)
    drawable = isinstance(way, Drawable)
    graph = way.graph().get_graph() if drawable else None
    if graph is None:
        return _noted(title, "It has no graph that could be drawn: another framework works there.", form)
    said = _bound(way, agent)
    drawn = graph.draw_mermaid().rstrip() if form == "mermaid" else _lines(graph)
    return f"{_noted(title, said, form)}\n{drawn}" if form == "text" else _below_header(drawn, title, said)


def _noted(title: str, said: str, form: str) -> str:
    return f"{title}\n{said}" if form == "text" else f"%% {title}\n%% {said}"


def _below_header(drawn: str, title: str, said: str) -> str:
    """A flowchart with its title in a comment; Mermaid wants its settings, between dashes, to stand first."""
    head, dashes, rest = drawn.rpartition("---\n")
    return f"{head}{dashes}%% {title}\n%% {said}\n{rest}"


def _bound(way: Any, agent: Agent | None) -> str:
    from ....agents.agent import Agent

    most = way.most_calls(agent or Agent("agent", "Do it."))
    if most is None:
        return "How many model calls it makes nobody can tell."
    return "One model call." if most == 1 else f"At most {most} model calls."


def _lines(graph: Any) -> str:
    """One line for each node: where it leads; ``or`` where the node decides."""
    lines: list[str] = []
    for name in graph.nodes:
        targets = [_named(edge.target) for edge in graph.edges if edge.source == name]
        if targets:
            lines.append(f"  {_named(name)} -> {' or '.join(targets)}")
    return "\n".join(lines)


def _named(node: str) -> str:
    return _ENDS.get(node, node)
