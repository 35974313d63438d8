"""ReAct: in each turn the agent decides on an action, acts and looks, until it finishes; then it writes.

After Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models" (2022). The action is chosen under a
JSON schema of the agent's tools, because small models cannot call tools natively; wrong arguments come back to
the model as a correction. The closing text is written outside JSON, where models of any size write better.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...runtime.errors import ToolError
from ..model import Message
from .actions import FINISH, action_schema, offer
from .answers import opening, spoken
from .architecture import Concluded, Seen
from .flow import at_least_one, onward, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

_ACTION_TOKENS = 200
_LOOK = 1500
_PATIENCE = 2
"""The same action chosen so often again, one time after the other, ends the loop."""
_AGAIN = "You have already done exactly this; do something else, or finish."
_CLOSE = "That is all you can look up. Answer the request now, in plain words, from what you have seen."


class ReactState(TypedDict):
    """What flows through the graph: the conversation, what was done and seen, turns taken, what is to be written."""

    messages: list[Message]
    schema: dict[str, Any]
    done: list[dict[str, Any]]
    seen: list[Seen]
    turns: int
    again: int
    writes: bool
    answer: str


@dataclass(frozen=True)
class React:
    """A loop of at most `turns` actions (left out: as many as the agent's `max_turns`), and a closing text."""

    turns: int | None = None
    name: ClassVar[str] = "react"

    def __post_init__(self) -> None:
        if self.turns is not None:
            at_least_one(self.name, turns=self.turns)

    def most_calls(self, agent: Agent) -> int:
        """One for each turn, and one for the closing text."""
        return self._turns(agent) + 1

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """What the agent writes after it has looked, and what it saw."""
        last = await self._walk(desk, writes=True)
        return Concluded(last["answer"], tuple(last["seen"]))

    async def gather(self, desk: Desk) -> tuple[Seen, ...]:
        """What the agent saw, in order, without a closing text."""
        return tuple((await self._walk(desk, writes=False))["seen"])

    async def _walk(self, desk: Desk, *, writes: bool) -> dict[str, Any]:
        schema = action_schema(desk.toolset)
        shared = offer(desk.toolset) if schema else ""
        first: ReactState = {
            "messages": opening(desk, shared=shared),
            "schema": schema,
            "done": [],
            "seen": [],
            "turns": 0,
            "again": 0,
            "writes": writes,
            "answer": "",
        }
        return await walk(self._graph, first, desk, nodes=self._turns(desk.agent) + 2)

    def _turns(self, agent: Agent) -> int:
        return agent.max_turns if self.turns is None else self.turns

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(ReactState, context_schema=Desk)
        builder.add_node("turn", self._turn, destinations=("turn", "answer", END))
        builder.add_node("answer", self._answer)
        builder.add_edge(START, "turn")
        builder.add_edge("answer", END)
        return builder.compile(name=self.name)

    async def _turn(self, state: ReactState, runtime: Runtime[Desk]) -> Command[Any]:
        desk, over = runtime.context, "answer" if state["writes"] else "end"
        if not state["schema"]:
            return onward(over, {})
        reply = await desk.say(state["messages"], max_tokens=_ACTION_TOKENS, schema=state["schema"])
        action, messages = json.loads(reply.text), [*state["messages"], Message("assistant", reply.text)]
        turns = state["turns"] + 1
        if action["tool"] == FINISH:
            return onward(over, {"messages": messages, "turns": turns})
        look, changed = await _acted(desk, action, state)
        messages.append(Message("user", look))
        if changed["again"] >= _PATIENCE:
            await desk.ctx.note(f"{desk.agent.role} was stopped: it chose the same action again and again.")
        elif turns >= self._turns(desk.agent):
            await desk.ctx.note(f"{desk.agent.role} stopped after {turns} turns.")
        else:
            over = "turn"
        return onward(over, {**changed, "messages": messages, "turns": turns})

    async def _answer(self, state: ReactState, runtime: Runtime[Desk]) -> dict[str, Any]:
        asked = state["messages"]
        if asked[-1].role == "user" and state["turns"]:
            *before, last = asked
            asked = [*before, Message("user", f"{last.content}\n\n{_CLOSE}")]
        elif state["turns"]:
            asked = [*asked, Message("user", _CLOSE)]
        return {"answer": await spoken(runtime.context, asked)}


async def _acted(desk: Desk, action: dict[str, Any], state: ReactState) -> tuple[str, dict[str, Any]]:
    """What the model is shown of its action, and what that changes. The same is not done a second time."""
    if action in state["done"]:
        return _AGAIN, {"again": state["again"] + 1}
    changed: dict[str, Any] = {"done": [*state["done"], action], "again": 0}
    try:
        value = await desk.call(action["tool"], action["args"])
    except ToolError as error:
        return f"That did not work: {error}", changed
    seen = [*state["seen"], Seen(action["tool"], action["args"], value)]
    return f"Result: {json.dumps(value, ensure_ascii=False)[:_LOOK]}", {**changed, "seen": seen}
