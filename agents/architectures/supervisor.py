"""Supervisor: a manager that gives pieces of the task to colleagues, sees what they come to, and answers.

After Wu et al., "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation" (2023). The manager has no
tools, and may finish only after somebody has worked: it cannot do all by itself. It never gets itself as a colleague,
and the same piece is given to the same colleague only once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...runtime.errors import InvalidCrew, ModelError, ToolError
from ..model import Message
from .actions import closed
from .answers import opening, spoken
from .architecture import Concluded, Seen
from .flow import at_least_one, onward, walk
from .team import CallsUsedUp, CountedDesk, colleagues_of, handed

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

_CHOICE_TOKENS = 200
_PATIENCE = 2
_LEAD = "You lead these colleagues, and do none of the work yourself. Give each a piece that fits them, one at a time:"
_CLOSE = "Answer the request now, in plain words, from what your colleagues have come to."


class SupervisorState(TypedDict):
    """What flows through the graph: the conversation, the piece given out, pieces so far, results, and what was seen."""

    messages: list[Message]
    piece: dict[str, str]
    given: list[dict[str, str]]
    results: list[str]
    seen: list[Seen]
    decided: int
    again: int
    answer: str


@dataclass(frozen=True)
class Supervisor:
    """A manager that decides at most `rounds` times; with all colleagues it makes at most `calls` model calls.

    Colleagues are those that the agent `delegates` to by name, else everybody else in the crew; each works in its own
    way, with its own tools and model. One who leads others may give pieces on; so on for `depth` levels in all.
    """

    rounds: int = 6
    calls: int = 40
    depth: int = 2
    name: ClassVar[str] = "supervisor"

    def __post_init__(self) -> None:
        at_least_one(self.name, rounds=self.rounds, calls=self.calls - 1, depth=self.depth)

    def most_calls(self, agent: Agent) -> int:
        """All calls together, those of the colleagues too."""
        return self.calls

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """What the manager writes from its colleagues' results, and what all of them saw.

        Raises:
            InvalidCrew: there is no colleague to give anything to.
        """
        team = colleagues_of(desk)
        if not team:
            raise InvalidCrew(
                f"{desk.agent.role!r} leads nobody: a supervisor needs a colleague in the crew."
            )
        lead = "\n".join([_LEAD, *(f"- {one.description}" for one in team)])
        first: SupervisorState = {
            "messages": opening(desk, lead),
            "piece": {},
            "given": [],
            "results": [],
            "seen": [],
            "decided": 0,
            "again": 0,
            "answer": "",
        }
        counted = CountedDesk.over(desk, self.calls - 1)
        last = await walk(self._graph, first, counted, nodes=2 * self.rounds + 2)
        return Concluded(last["answer"], tuple(last["seen"]))

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        builder = StateGraph(SupervisorState, context_schema=CountedDesk)
        builder.add_node("decide", self._decide, destinations=("delegate", "answer"))
        builder.add_node("delegate", self._delegate)
        builder.add_node("answer", self._answer)
        builder.add_edge(START, "decide")
        builder.add_edge("delegate", "decide")
        builder.add_edge("answer", END)
        return builder.compile(name=self.name)

    async def _decide(self, state: SupervisorState, runtime: Runtime[CountedDesk]) -> Command[Any]:
        desk = runtime.context
        if state["again"] >= _PATIENCE or state["decided"] >= self.rounds:
            await desk.ctx.note(f"{desk.agent.role} was stopped after {state['decided']} decisions.")
            return onward("answer", {})
        team = [one.role for one in colleagues_of(desk)]
        piece = closed({"colleague": {"enum": team}, "instruction": {"type": "string", "maxLength": 400}})
        schema = {"anyOf": [piece, closed({"finish": {"const": True}})]} if state["given"] else piece
        try:
            reply = await desk.say(state["messages"], max_tokens=_CHOICE_TOKENS, schema=schema)
        except CallsUsedUp:
            return onward("answer", {})
        chosen = json.loads(reply.text)
        said = [*state["messages"], Message("assistant", reply.text)]
        changed = {"piece": chosen, "messages": said, "decided": state["decided"] + 1}
        return onward("delegate" if "colleague" in chosen else "answer", changed)

    async def _delegate(self, state: SupervisorState, runtime: Runtime[CountedDesk]) -> dict[str, Any]:
        desk, piece, messages = runtime.context, state["piece"], state["messages"]
        role = piece["colleague"]
        if piece in state["given"]:
            look = f"{role} has already had exactly this; give out another piece, or finish."
            return {"messages": [*messages, Message("user", look)], "again": state["again"] + 1}
        changed: dict[str, Any] = {"given": [*state["given"], piece], "again": 0}
        try:
            found = await handed(desk, role, piece["instruction"], state["results"], self.depth)
        except (ToolError, ModelError, CallsUsedUp) as error:
            look = f"{role} could not do that: {error}"
        else:
            look = f"{role} says: {found.text}"
            changed |= {"results": [*state["results"], look], "seen": [*state["seen"], *found.seen]}
        return {**changed, "messages": [*messages, Message("user", look)]}

    async def _answer(self, state: SupervisorState, runtime: Runtime[CountedDesk]) -> dict[str, Any]:
        asked = [*state["messages"], Message("user", _CLOSE)]
        return {"answer": await spoken(runtime.context.plain, asked)}
