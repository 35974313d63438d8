"""Other frameworks, in both directions: their agents and models in our crews, and our model client in theirs.

`langgraph_agent`, `crewai_agent`, `autogen_agent` and `function_agent` are agents' ways of working (`Architecture`);
within them ``as_langchain(task_model())`` and its like answer with the model of the task. Names are loaded when they are
used, and a framework only with its adapter: importing this package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .autogen import as_autogen, autogen_agent, autogen_tools, from_autogen
    from .crewai import as_crewai, crewai_agent, crewai_tools, from_crewai
    from .langchain import as_langchain, from_langchain
    from .langgraph import langchain_tools, langgraph_agent
    from .scope import CallScope
    from .tasks.function import function_agent
    from .tasks.model import task_model
    from .tasks.person import ask_person
    from .tasks.seat import task_context

_HOMES = {
    "CallScope": "scope",
    "as_autogen": "autogen",
    "as_crewai": "crewai",
    "as_langchain": "langchain",
    "ask_person": "tasks.person",
    "autogen_agent": "autogen",
    "autogen_tools": "autogen",
    "crewai_agent": "crewai",
    "crewai_tools": "crewai",
    "from_autogen": "autogen",
    "from_crewai": "crewai",
    "from_langchain": "langchain",
    "function_agent": "tasks.function",
    "langchain_tools": "langgraph",
    "langgraph_agent": "langgraph",
    "task_context": "tasks.seat",
    "task_model": "tasks.model",
}

__all__ = [
    "CallScope",
    "as_autogen",
    "as_crewai",
    "as_langchain",
    "ask_person",
    "autogen_agent",
    "autogen_tools",
    "crewai_agent",
    "crewai_tools",
    "from_autogen",
    "from_crewai",
    "from_langchain",
    "function_agent",
    "langchain_tools",
    "langgraph_agent",
    "task_context",
    "task_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
