"""ReAct as a LangGraph graph: decide on an action, act, look, and again, until the agent finishes.

After Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models" (2022). The action is chosen under a
JSON schema of the agent's tools, because small models cannot call tools natively; wrong arguments come back to
the model as a correction. The closing text is written outside JSON, where models of any size write better.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from ...runtime.context import RunContext
from ...runtime.errors import ToolError
from ...runtime.graph import Task
from ...tools.toolset import Toolset
from ..agent import Agent
from ..calls import ask_model
from ..model import Message, ModelClient
from ..writing import Brief

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

FINISH = "finish"
_ACTION_TOKENS = 200


class ReactState(TypedDict):
    """What flows through the graph: the conversation so far, the action just chosen, results, turns taken."""

    messages: list[Message]
    action: dict[str, Any]
    seen: list[dict[str, Any]]
    turns: int


@dataclass(frozen=True)
class React:
    """One agent at one task: its tools, its model, and the run it belongs to."""

    agent: Agent
    toolset: Toolset
    client: ModelClient
    ctx: RunContext

    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The compiled graph; `graph().get_graph().draw_mermaid()` draws it."""
        from langgraph.graph import END, START, StateGraph

        builder = StateGraph(ReactState)
        builder.add_node("decide", self._decide)
        builder.add_node("act", self._act)
        builder.add_edge(START, "decide")
        builder.add_conditional_edges("decide", self._next, {"act": "act", "end": END})
        builder.add_edge("act", "decide")
        return builder.compile()

    async def run(self, task: Task, brief: Brief) -> list[tuple[str, Any]]:
        """Reason until finished or out of turns; the (tool, JSON result) pairs that were gathered, in order."""
        notes = brief.notes()
        asked = f"Request: {brief.request}\n\nTask: {task.description}" + (
            f"\n\nKnown so far:\n{notes}" if notes else ""
        )
        first: ReactState = {
            "messages": [self.agent.system(self._offer()), Message("user", asked)],
            "action": {},
            "seen": [],
            "turns": 0,
        }
        last = await self.graph().ainvoke(first, {"recursion_limit": 2 * self.agent.max_turns + 4})
        return [(item["tool"], item["value"]) for item in last["seen"]]

    def _offer(self) -> str:
        """The tools, those that the whole crew has first: so agents' prompts begin alike."""
        listed = "\n".join(
            f"- {t.name}({', '.join(t.args.model_fields)}): {t.description}"
            for t in self.toolset.values()
            if not t.combines
        )
        return f"You may use these tools, one at a time; {FINISH} when you know enough:\n{listed}"

    async def _decide(self, state: ReactState) -> dict[str, Any]:
        if state["turns"] >= self.agent.max_turns:
            await self.ctx.note(f"{self.agent.role} stopped after {self.agent.max_turns} turns.")
            return {"action": {"tool": FINISH}}
        request = self.agent.asks(state["messages"], max_tokens=_ACTION_TOKENS, schema=self.action_schema())
        reply = await ask_model(self.ctx, self.client, request)
        said = [*state["messages"], Message("assistant", reply.text)]
        return {"action": json.loads(reply.text), "messages": said, "turns": state["turns"] + 1}

    def _next(self, state: ReactState) -> str:
        return "end" if state["action"].get("tool") == FINISH else "act"

    async def _act(self, state: ReactState) -> dict[str, Any]:
        name, arguments = state["action"]["tool"], state["action"].get("args", {})
        before = next((s for s in state["seen"] if s["tool"] == name and s["args"] == arguments), None)
        if before is not None:
            look = "You have already done exactly this; do something else, or finish."
            return {"messages": [*state["messages"], Message("user", look)]}
        try:
            value = await self.toolset.call(name, arguments, self.ctx, agent=self.agent.role)
        except ToolError as error:
            return {"messages": [*state["messages"], Message("user", f"That did not work: {error}")]}
        look = f"Result: {json.dumps(value, ensure_ascii=False)[:1500]}"
        seen = [*state["seen"], {"tool": name, "args": arguments, "value": value}]
        return {"messages": [*state["messages"], Message("user", look)], "seen": seen}

    def action_schema(self) -> dict[str, Any]:
        """The JSON schema of one action: a tool with its arguments, or finish."""
        actions: list[dict[str, Any]] = []
        definitions: dict[str, Any] = {}
        for tool in self.toolset.values():
            if tool.combines:
                continue
            schema = tool.parameters
            definitions |= schema.pop("$defs", {})
            schema.pop("title", None)
            actions.append(_object({"tool": {"const": tool.name}, "args": schema}))
        actions.append(_object({"tool": {"const": FINISH}}))
        return {"anyOf": actions} | ({"$defs": definitions} if definitions else {})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
