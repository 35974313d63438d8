"""Permission: which effects an agent's tool calls may have, looked at before anything happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime.errors import ToolError

if TYPE_CHECKING:
    from ...tools.tool import Tool
    from ..agent import Agent


def permits(agent: Agent, tool: Tool) -> bool:
    """Whether the agent may call the tool."""
    return agent.may is None or tool.effect in agent.may


def permitted(agent: Agent, tool: Tool) -> None:
    """Nothing, where the agent may call the tool.

    Raises:
        ToolError: it may not; nothing was called.
    """
    if not permits(agent, tool):
        raise ToolError(
            f"The agent {agent.role!r} may not call {tool.name}: its effect is {tool.effect!r}, "
            f"and it may have {', '.join(agent.may or ()) or 'none'}."
        )
