"""crewgraph: multi-agent orchestration with planned task graphs, durable steps, replay, and a local model engine.

The names below are the public API. They are loaded when they are first used, so that importing crewgraph costs
next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.agent import Agent
    from .agents.crew import Crew
    from .agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
    from .runtime.budget import Budget
    from .runtime.errors import CrewgraphError, ToolError
    from .runtime.events import Answer
    from .runtime.graph import Task, TaskGraph, TaskResult
    from .runtime.policy import Allowance, Condition, Retry
    from .runtime.stepping.doubt import DidNotHappen, Happened, StillUnknown
    from .serving.doors import run, run_sync
    from .serving.house import House, Outcome
    from .serving.settings import Settings
    from .tools.builtin.calculate import calculate
    from .tools.builtin.files import read_file
    from .tools.builtin.table import Column, Table
    from .tools.effects import IdempotencyKey
    from .tools.knowledge.documents import Documents
    from .tools.planning import Action, Traits
    from .tools.tool import Tool, tool
    from .tools.values import Fact

__version__ = "0.2.0"

_HOMES = {
    "Action": "tools.planning",
    "Agent": "agents.agent",
    "Allowance": "runtime.policy",
    "Answer": "runtime.events",
    "Budget": "runtime.budget",
    "Column": "tools.builtin.table",
    "Condition": "runtime.policy",
    "Crew": "agents.crew",
    "CrewgraphError": "runtime.errors",
    "DidNotHappen": "runtime.stepping.doubt",
    "Documents": "tools.knowledge.documents",
    "Fact": "tools.values",
    "Happened": "runtime.stepping.doubt",
    "House": "serving.house",
    "IdempotencyKey": "tools.effects",
    "Message": "agents.model",
    "ModelClient": "agents.model",
    "ModelDelta": "agents.model",
    "ModelReply": "agents.model",
    "ModelRequest": "agents.model",
    "Outcome": "serving.house",
    "Retry": "runtime.policy",
    "Settings": "serving.settings",
    "StillUnknown": "runtime.stepping.doubt",
    "Table": "tools.builtin.table",
    "Task": "runtime.graph",
    "TaskGraph": "runtime.graph",
    "TaskResult": "runtime.graph",
    "Tool": "tools.tool",
    "ToolError": "runtime.errors",
    "Traits": "tools.planning",
    "Usage": "agents.model",
    "calculate": "tools.builtin.calculate",
    "read_file": "tools.builtin.files",
    "run": "serving.doors",
    "run_sync": "serving.doors",
    "tool": "tools.tool",
}

__all__ = [
    "Action",
    "Agent",
    "Allowance",
    "Answer",
    "Budget",
    "Column",
    "Condition",
    "Crew",
    "CrewgraphError",
    "DidNotHappen",
    "Documents",
    "Fact",
    "Happened",
    "House",
    "IdempotencyKey",
    "Message",
    "ModelClient",
    "ModelDelta",
    "ModelReply",
    "ModelRequest",
    "Outcome",
    "Retry",
    "Settings",
    "StillUnknown",
    "Table",
    "Task",
    "TaskGraph",
    "TaskResult",
    "Tool",
    "ToolError",
    "Traits",
    "Usage",
    "calculate",
    "read_file",
    "run",
    "run_sync",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crewgraph' has no attribute {name!r}")
    found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
