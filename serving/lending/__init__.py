"""Crews given away to other frameworks: as a LangGraph graph, a langchain-core tool, an AutoGen agent, a CrewAI tool.

Each request that comes in this way is a run of its own in the store of the house: durable, journalled, replayed like any
other. With a `house` it is asked there, on the loop that ran when the crew was lent; without one a house is opened for
each request, by the settings. Names are loaded when they are used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .autogen import as_autogen_agent
    from .crewai import as_crewai_tool
    from .langgraph import as_langgraph
    from .tool import as_tool

_HOMES = {
    "as_autogen_agent": "autogen",
    "as_crewai_tool": "crewai",
    "as_langgraph": "langgraph",
    "as_tool": "tool",
}

__all__ = ["as_autogen_agent", "as_crewai_tool", "as_langgraph", "as_tool"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
