"""Owns the doors between LangGraph's graphs and crews: a compiled graph as an agent, our tools as langchain-core's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ....runtime.events import Effect

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from ...desk import Desk
    from .graph import LangGraphAgent


def langgraph_agent(
    graph: Any,
    *,
    given: Callable[[Desk], Any] | None = None,
    taken: Callable[[Any], Any] | None = None,
    effects: Mapping[str, Effect] | None = None,
    aloud: bool | str = False,
    name: str | None = None,
) -> LangGraphAgent:
    """A compiled graph as an agent's way of working: ``Agent("analyst", "…", architecture=langgraph_agent(graph))``.

    Its nodes ask ``as_langchain(task_model())``. It is given the thread's messages and what is asked under ``messages``, or
    what `given` makes of the desk; the result is its last message (and its ``structured_response``, if it has one), or
    what `taken` makes of its last state: a text, anything that is JSON, or a `Concluded`.

    Calls of tools in a `ToolNode` are steps: `effects` says by name what calling one twice would do (left out: `once`).
    Where a node calls ``interrupt()``, or the graph was compiled to stop at it, a person is asked, and the graph goes on
    with the answer: its value, else True where it is approved and False where it is rejected. A checkpointer gets the
    thread ``run/task``, anew each time that the task begins: what a task is resumed from is the journal. `aloud` shows what
    its models write: all of them, or those in the node of that name. Other effects in its nodes are hidden from the
    journal: put them into a tool, or into ``task_context().step``.

    Raises:
        InvalidCrew: it is no compiled graph, or has no ``messages`` in its state and nothing says how it is asked.
    """
    from .graph import LangGraphAgent

    return LangGraphAgent(graph, given=given, taken=taken, effects=effects, aloud=aloud, name=name)


def langchain_tools(given: Sequence[object]) -> list[BaseTool]:
    """Tools of ours as langchain-core's, for graphs that are agents of a crew: each call goes by the task's desk.

    It is a step with the tool's own effect, approval and limits. Raises `InvalidCrew`: one of them is no tool.
    """
    from .tools import langchain_tool

    return [langchain_tool(one) for one in given]
