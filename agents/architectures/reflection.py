"""Reflection: a draft, a critique of it, a better draft, until the critique finds nothing wrong or the rounds are over.

After Madaan et al., "Self-Refine: Iterative Refinement with Self-Feedback" (2023), and Shinn et al., "Reflexion" (2023).
A draft or a critique that comes a second time ends the rounds, since nothing new would follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...tools.text import normal
from ..model import Message
from .answers import HOW, final, opening, show
from .architecture import Concluded
from .flow import at_least_one, onward, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

_CRITIQUE = (
    "Check this draft as a strict reader who has not written it: each figure, each step, and whether it does what was "
    "asked. Say what is wrong, in one or two sentences. End with a line 'Verdict: right' or 'Verdict: wrong'."
)
_RIGHT = re.compile(r"verdict[\s*_]*[:：][\s*_]*(?:right|correct)\b", re.IGNORECASE)


class ReflectionState(TypedDict):
    """What flows through the graph: the drafts and the critiques so far, each the answer to the one before."""

    drafts: list[str]
    critiques: list[str]


@dataclass(frozen=True)
class Reflection:
    """A draft that is criticised and revised at most `rounds` times. It uses no tools."""

    rounds: int = 2
    name: ClassVar[str] = "reflection"

    def __post_init__(self) -> None:
        at_least_one(self.name, rounds=self.rounds)

    def most_calls(self, agent: Agent) -> int:
        """One for the draft, two for each round; two in all where the critique finds nothing wrong."""
        return 1 + 2 * self.rounds

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """The answer of the last draft."""
        first: ReflectionState = {"drafts": [], "critiques": []}
        last = await walk(self._graph, first, desk, nodes=1 + 2 * self.rounds)
        answer = final(last["drafts"][-1])
        show(desk, answer)
        return Concluded(answer)

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(ReflectionState, context_schema=Desk)
        builder.add_node("draft", self._draft)
        builder.add_node("critique", self._critique, destinations=("revise", END))
        builder.add_node("revise", self._revise, destinations=("critique", END))
        builder.add_edge(START, "draft")
        builder.add_edge("draft", "critique")
        return builder.compile(name=self.name)

    async def _draft(self, state: ReflectionState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk = runtime.context
        return {"drafts": [(await desk.say(opening(desk, HOW))).text]}

    async def _critique(self, state: ReflectionState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        asked = opening(desk, f"Draft:\n{state['drafts'][-1].strip()}", _CRITIQUE)
        text = (await desk.say(asked)).text
        over = _RIGHT.search(text) is not None or _known(text, state["critiques"])
        return onward("end" if over else "revise", {"critiques": [*state["critiques"], text]})

    async def _revise(self, state: ReflectionState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        wrong = f"A reader says of this: {state['critiques'][-1].strip()}\n\nWrite it again, with that mended. {HOW}"
        asked = [*opening(desk, HOW), Message("assistant", state["drafts"][-1]), Message("user", wrong)]
        text = (await desk.say(asked)).text
        over = len(state["critiques"]) >= self.rounds or _known(text, state["drafts"])
        return onward("end" if over else "critique", {"drafts": [*state["drafts"], text]})


def _known(text: str, before: list[str]) -> bool:
    """Whether the same was written before, but for case and spaces."""
    return normal(text).split() in [normal(one).split() for one in before]
