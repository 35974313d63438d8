"""The agent card: what A2A clients are told of a crew before they talk to it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...agents.agent import Agent
    from ...agents.crew import Crew

VERSION = "1.0"
"""The protocol's version, as clients name it in the header A2A-Version."""
PATH = "/a2a"
CARD_PATH = "/.well-known/agent-card.json"
TEXT = "text/plain"


def card_of(crew: Crew, base: str) -> dict[str, Any]:
    """The card of a crew that is reached at `base`. Each agent of the crew is a skill."""
    url = base.rstrip("/") + PATH
    return {
        "name": crew.name,
        "description": crew.description or f"A crew: {_named(crew)}",
        "version": _version(),
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": VERSION},
            {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": VERSION},
        ],
        "capabilities": {"streaming": True, "pushNotifications": False, "extendedAgentCard": False},
        "defaultInputModes": [TEXT],
        "defaultOutputModes": [TEXT],
        "skills": [_skill(agent, crew) for agent in crew.agents],
    }


def _skill(agent: Agent, crew: Crew) -> dict[str, Any]:
    name = re.sub(r"\W+", "-", agent.role.lower()).strip("-") or "agent"
    tools = [tool.name for tool in crew.tools_of(agent).values() if not tool.combines]
    return {"id": name, "name": agent.role, "description": agent.goal, "tags": tools[:20] or ["text"]}


def _named(crew: Crew) -> str:
    return "; ".join(agent.description for agent in crew.agents[:8])


def _version() -> str:
    try:
        return version("crewgraph")
    except PackageNotFoundError:  # run from a folder that nobody has installed
        return "0"
