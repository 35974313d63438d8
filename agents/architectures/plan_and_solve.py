"""Plan and solve: a plan of a few steps, each step done with the results before it, then the answer.

After Wang et al., "Plan-and-Solve Prompting: Improving Zero-Shot Chain-of-Thought Reasoning by Large Language Models"
(2023). Where the agent has tools, a tool or a thought is chosen for each step under a schema; plan and thoughts are
written outside JSON, where models of any size write better.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...runtime.errors import ToolError
from ...tools.text import normal
from .actions import action_schema, offer
from .answers import HOW, answered, opening
from .architecture import Concluded, Seen
from .flow import at_least_one, onward, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

THINK = "think"
_ACTION_TOKENS = 200
_LOOK = 1500
_LINE = re.compile(r"^\s*(?:\d+\s*[.):、]|[-*•]|step \d+\s*[.:)])\s*(.+)$", re.IGNORECASE | re.MULTILINE)


class PlanAndSolveState(TypedDict):
    """What flows through the graph: the steps, what came of those that are done, what tools gave, the answer."""

    steps: list[str]
    results: list[str]
    seen: list[Seen]
    answer: str


@dataclass(frozen=True)
class PlanAndSolve:
    """A plan of at most `steps` steps, each with a tool call or a thought, and an answer from what they gave."""

    steps: int = 5
    name: ClassVar[str] = "plan_and_solve"

    def __post_init__(self) -> None:
        at_least_one(self.name, steps=self.steps)

    def most_calls(self, agent: Agent) -> int:
        """One for the plan, one for the answer, and for each step one, or two where it had tools to choose from."""
        return 2 + 2 * self.steps

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """The answer, and what the tools gave on the way."""
        first: PlanAndSolveState = {"steps": [], "results": [], "seen": [], "answer": ""}
        last = await walk(self._graph, first, desk, nodes=2 + self.steps)
        return Concluded(last["answer"], tuple(last["seen"]))

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(PlanAndSolveState, context_schema=Desk)
        builder.add_node("plan", self._plan, destinations=("step", "answer"))
        builder.add_node("step", self._step, destinations=("step", "answer"))
        builder.add_node("answer", self._answer)
        builder.add_edge(START, "plan")
        builder.add_edge("answer", END)
        return builder.compile(name=self.name)

    async def _plan(self, state: PlanAndSolveState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        how = f"First write a plan: at most {self.steps} short steps, one a line, with numbers. Do not solve it yet."
        said = (await desk.say(_asked(desk, how))).text
        lines = [line.strip() for line in _LINE.findall(said)] or said.strip().splitlines()
        distinct = {normal(line): line for line in lines if line.strip()}
        steps = list(distinct.values())[: self.steps]
        return onward("step" if steps else "answer", {"steps": steps})

    async def _step(self, state: PlanAndSolveState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        step = state["steps"][len(state["results"])]
        now = f"Do this step now, and only this one: {step}"
        result, seen = "", state["seen"]
        if schema := action_schema(desk.toolset, THINK):
            how = f"{now}\nChoose a tool for it, or '{THINK}' where none is needed."
            reply = await desk.say(_asked(desk, _told(state), how), max_tokens=_ACTION_TOKENS, schema=schema)
            result, seen = await _used(desk, json.loads(reply.text), seen)
        if not result:
            how = f"{now}\nSay in a sentence or two what comes of it."
            result = (await desk.say(_asked(desk, _told(state), how))).text.strip()
        results = [*state["results"], result]
        more = len(results) < len(state["steps"])
        return onward("step" if more else "answer", {"results": results, "seen": seen})

    async def _answer(self, state: PlanAndSolveState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk = runtime.context
        return {"answer": await answered(desk, _asked(desk, _told(state), HOW))}


def _asked(desk: Desk, *asked: str) -> list[Any]:
    looks = any(not tool.combines for tool in desk.toolset.values())
    return opening(desk, *asked, shared=offer(desk.toolset, "") if looks else "")


def _told(state: PlanAndSolveState) -> str:
    """The plan, with what came of it so far."""
    lines = [f"{n}. {step}" for n, step in enumerate(state["steps"], 1)]
    for place, result in enumerate(state["results"]):
        lines[place] += f"\n   Result: {result}"
    return "Plan:\n" + "\n".join(lines) if lines else ""


async def _used(desk: Desk, action: dict[str, Any], seen: list[Seen]) -> tuple[str, list[Seen]]:
    """What the chosen tool gave, in words; nothing where the step is to be thought about. None is called twice alike."""
    tool, arguments = action["tool"], action.get("args", {})
    if tool == THINK:
        return "", seen
    known = next((one for one in seen if (one.tool, one.args) == (tool, arguments)), None)
    if known is None:
        try:
            known = Seen(tool, arguments, await desk.call(tool, arguments))
        except ToolError as error:
            return f"{tool} did not work: {error}", seen
        seen = [*seen, known]
    return f"{tool}: {json.dumps(known.value, ensure_ascii=False)[:_LOOK]}", seen
