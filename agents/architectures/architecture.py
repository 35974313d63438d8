"""Architecture: a way for an agent to come to a result. Ours are LangGraph graphs; other frameworks' agents are ones too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import JsonValue

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from ..agent import Agent
    from ..desk import Desk


@dataclass(frozen=True)
class Seen:
    """One tool call on the way to a result: the tool, its arguments and its JSON result."""

    tool: str
    args: dict[str, Any]
    value: JsonValue


@dataclass(frozen=True)
class Concluded:
    """What an agent has come to: its words, what it saw on the way, and a JSON value where it is more than words."""

    text: str
    seen: tuple[Seen, ...] = ()
    value: JsonValue = None


@runtime_checkable
class Architecture(Protocol):
    """How an agent works on a task. One object serves any number of tasks at once, so it keeps nothing of them.

    Every effect goes through the desk, each call under inputs of its own, so that a task that was broken off begins
    again, reads its steps back, and goes on.
    """

    @property
    def name(self) -> str:
        """What it is called in crews, tables and drawings."""
        ...

    def most_calls(self, agent: Agent) -> int | None:
        """So many model calls one task takes at most; None where nobody can tell (it is another framework's)."""
        ...

    async def conclude(self, desk: Desk) -> Concluded:
        """What the agent comes to.

        Raises:
            EngineError, ModelError, ToolError: what it needed could not be had.
            BudgetExceeded: the run or the task has used up what it may.
        """
        ...


@runtime_checkable
class Drawable(Protocol):
    """An architecture that people can look at."""

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph, for one task; without a desk, for drawing only."""
        ...
