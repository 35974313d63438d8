"""crewgraph: multi-agent orchestration with planned task graphs, durable steps, replay, and a local model engine.

The names below are the public API. They are loaded when they are first used, so that importing crewgraph costs
next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.agent import Agent
    from .agents.crew import Crew, Process
    from .agents.guarding.guardrail import Check
    from .agents.guarding.judge import Judge
    from .agents.guarding.refused import OutputRefused
    from .agents.interop import autogen_agent, crewai_agent, function_agent, langgraph_agent
    from .agents.memory.memory import Memory
    from .agents.model import Message, ModelClient, ModelDelta, ModelReply, ModelRequest, Usage
    from .agents.working.blackboard import Blackboard
    from .runtime.budget import Budget
    from .runtime.errors import CrewgraphError, ToolError
    from .runtime.events import Answer
    from .runtime.graph import Task, TaskGraph, TaskResult
    from .runtime.policy import Allowance, Condition, Retry
    from .runtime.stepping.doubt import DidNotHappen, Happened, StillUnknown
    from .serving.a2a.remote import remote_agent
    from .serving.crewfiles.crewai import from_crewai_files, import_crew
    from .serving.doors import run, run_sync
    from .serving.house import House, Outcome
    from .serving.lending import as_autogen_agent, as_crewai_tool, as_langgraph, as_tool
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
    "Blackboard": "agents.working.blackboard",
    "Budget": "runtime.budget",
    "Check": "agents.guarding.guardrail",
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
    "Judge": "agents.guarding.judge",
    "Memory": "agents.memory.memory",
    "Message": "agents.model",
    "ModelClient": "agents.model",
    "ModelDelta": "agents.model",
    "ModelReply": "agents.model",
    "ModelRequest": "agents.model",
    "Outcome": "serving.house",
    "OutputRefused": "agents.guarding.refused",
    "Process": "agents.crew",
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
    "as_autogen_agent": "serving.lending",
    "as_crewai_tool": "serving.lending",
    "as_langgraph": "serving.lending",
    "as_tool": "serving.lending",
    "autogen_agent": "agents.interop",
    "calculate": "tools.builtin.calculate",
    "crewai_agent": "agents.interop",
    "from_crewai_files": "serving.crewfiles.crewai",
    "function_agent": "agents.interop",
    "import_crew": "serving.crewfiles.crewai",
    "langgraph_agent": "agents.interop",
    "read_file": "tools.builtin.files",
    "remote_agent": "serving.a2a.remote",
    "run": "serving.doors",
    "run_sync": "serving.doors",
    "tool": "tools.tool",
}

__all__ = [
    "Action",
    "Agent",
    "Allowance",
    "Answer",
    "Blackboard",
    "Budget",
    "Check",
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
    "Judge",
    "Memory",
    "Message",
    "ModelClient",
    "ModelDelta",
    "ModelReply",
    "ModelRequest",
    "Outcome",
    "OutputRefused",
    "Process",
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
    "as_autogen_agent",
    "as_crewai_tool",
    "as_langgraph",
    "as_tool",
    "autogen_agent",
    "calculate",
    "crewai_agent",
    "from_crewai_files",
    "function_agent",
    "import_crew",
    "langgraph_agent",
    "read_file",
    "remote_agent",
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
