"""Desk tools: what an agent may do beside calling tools, offered to its model like one. Their effects are steps of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ...runtime.errors import InvalidInput
from ...tools.tool import Tool

if TYPE_CHECKING:
    from ..desk import Desk

AtDesk = Callable[["Desk", dict[str, Any]], Awaitable[Any]]
"""Gets the desk of whoever calls, and the arguments by name; gives what the tool says, as JSON."""


async def _elsewhere(**_: Any) -> Any:
    raise InvalidInput("This tool belongs to an agent's desk, and can only be called from there.")


@dataclass(frozen=True, eq=False)
class DeskTool(Tool):
    """A tool that `Desk.call` carries out itself, with `at_desk`."""

    at_desk: AtDesk = field(kw_only=True)


def desk_tool(name: str, description: str, args: type[BaseModel], at_desk: AtDesk) -> DeskTool:
    """A desk tool whose result is a text."""
    return DeskTool(name, description, args, Any, _elsewhere, at_desk=at_desk)
