"""Direct: one call, in which the model thinks step by step and then answers.

After Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models" (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from .answers import HOW, answered, opening
from .architecture import Concluded
from .flow import walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

    from ..agent import Agent
    from ..desk import Desk


class DirectState(TypedDict):
    """What flows through the graph."""

    answer: str


@dataclass(frozen=True)
class Direct:
    """One call: thoughts, then the answer. It uses no tools."""

    name: ClassVar[str] = "direct"

    def most_calls(self, agent: Agent) -> int:
        """One."""
        return 1

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """The model's answer, without its thoughts."""
        last = await walk(self._graph, {"answer": ""}, desk, nodes=1)
        return Concluded(last["answer"])

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(DirectState, context_schema=Desk)
        builder.add_node("answer", self._answer)
        builder.add_edge(START, "answer")
        builder.add_edge("answer", END)
        return builder.compile(name=self.name)

    async def _answer(self, state: DirectState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk = runtime.context
        return {"answer": await answered(desk, opening(desk, HOW))}
