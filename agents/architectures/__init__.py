"""Ways of reasoning, each a graph that can be drawn, by their names."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Loaded before the function of the same name is defined: else the module would take the function's place later.
from .architecture import Architecture

if TYPE_CHECKING:
    from ..agent import Agent
    from ..desk import Desk

__all__ = ["NAMES", "architecture", "architecture_of"]

_HOMES = {
    "direct": "Direct",
    "react": "React",
    "plan_and_solve": "PlanAndSolve",
    "reflection": "Reflection",
    "self_consistency": "SelfConsistency",
    "tree_of_thoughts": "TreeOfThoughts",
    "debate": "Debate",
    "supervisor": "Supervisor",
}

NAMES: tuple[str, ...] = tuple(_HOMES)
"""The ways of reasoning that there are; each has a module of the same name here."""


def architecture(name: str) -> Architecture:
    """The way of reasoning of that name, with its usual bounds. Always the same object, so its graph is built once.

    Raises:
        InvalidCrew: there is none of that name; the message has the nearest.
    """
    if name not in _HOMES:
        from difflib import get_close_matches

        from ...runtime.errors import InvalidCrew

        wanted = name.strip().casefold().replace("-", "_").replace(" ", "_")
        near = get_close_matches(wanted, NAMES, 1, 0.5)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise InvalidCrew(f"There is no architecture {name!r}: {hint}: {', '.join(NAMES)}.")
    return _made(name)


def architecture_of(agent: Agent, desk: Desk | None = None) -> Architecture:
    """How an agent works: as it says; else by `react` where its desk has tools that look things up, else `direct`.

    Raises:
        InvalidCrew: it names an architecture that there is not.
    """
    if agent.architecture is not None:
        return architecture(agent.architecture) if isinstance(agent.architecture, str) else agent.architecture
    looks = desk is not None and any(not tool.combines for tool in desk.toolset.values())
    return architecture("react" if looks else "direct")


@cache
def _made(name: str) -> Architecture:
    made: Any = getattr(import_module(f".{name}", __name__), _HOMES[name])
    found: Architecture = made()
    return found
