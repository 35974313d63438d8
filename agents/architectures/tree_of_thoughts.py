"""Tree of thoughts: several next thoughts for each line of thought, judged, and only the best lines are followed.

After Yao et al., "Tree of Thoughts: Deliberate Problem Solving with Large Language Models" (2023), as its breadth-first
search. A thought is judged by a choice among a few words; one that cannot lead to the answer is followed only where all are such,
and thoughts that say the same are followed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...tools.text import normal
from .answers import HOW, answered, final, has_answer, opening, show
from .architecture import Concluded
from .flow import at_least_one, onward, side_by_side, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

WORTHS = ("impossible", "maybe", "sure")
"""How a line of thought is judged, from the worst to the best."""

_THOUGHT_TOKENS = 160
_NEXT = (
    "Write only the next thought, in one or two sentences. Where the answer is reached, write it on a line that begins "
    "with 'Answer:'."
)
_JUDGE = f"Do these thoughts lead to a right answer? Say one word: {', '.join(reversed(WORTHS))}."


@dataclass(frozen=True)
class Line:
    """A line of thought: its thoughts, and how they were judged, a place in `WORTHS`."""

    thoughts: tuple[str, ...] = ()
    worth: int = 1

    @property
    def ended(self) -> bool:
        """Whether its last thought has the answer."""
        return bool(self.thoughts) and has_answer(self.thoughts[-1])

    @property
    def told(self) -> str:
        """The thoughts, as a model is shown them."""
        return "Thoughts so far:\n" + "\n".join(self.thoughts) if self.thoughts else ""


class TreeOfThoughtsState(TypedDict):
    """What flows through the graph: the lines that are followed, those not judged yet, the level, the answer."""

    lines: list[Line]
    fresh: list[Line]
    level: int
    answer: str


@dataclass(frozen=True)
class TreeOfThoughts:
    """A tree of at most `depth` thoughts, `branches` of them after each of the `breadth` best lines. No tools are used."""

    breadth: int = 2
    branches: int = 3
    depth: int = 3
    temperature: float = 0.8
    name: ClassVar[str] = "tree_of_thoughts"

    def __post_init__(self) -> None:
        at_least_one(self.name, breadth=self.breadth, branches=self.branches, depth=self.depth)

    def most_calls(self, agent: Agent) -> int:
        """Two for each thought, one to have it and one to judge it, and one for the answer."""
        thoughts = self.branches * (1 + self.breadth * (self.depth - 1))
        return 2 * thoughts + 1

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """The answer at the end of the best line of thought."""
        first: TreeOfThoughtsState = {"lines": [Line()], "fresh": [], "level": 0, "answer": ""}
        last = await walk(self._graph, first, desk, nodes=2 * self.depth + 1)
        return Concluded(last["answer"])

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(TreeOfThoughtsState, context_schema=Desk)
        builder.add_node("think", self._think)
        builder.add_node("judge", self._judge, destinations=("think", "answer"))
        builder.add_node("answer", self._answer)
        builder.add_edge(START, "think")
        builder.add_edge("think", "judge")
        builder.add_edge("answer", END)
        return builder.compile(name=self.name)

    async def _think(self, state: TreeOfThoughtsState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk = runtime.context
        tokens = min(_THOUGHT_TOKENS, desk.agent.max_tokens)
        lines = [line for line in state["lines"] if not line.ended for _ in range(self.branches)]
        replies = await side_by_side(
            desk.say(
                opening(desk, line.told, _NEXT), max_tokens=tokens, temperature=self.temperature, seed=seed
            )
            for seed, line in enumerate(lines)
        )
        fresh: dict[str, Line] = {}
        for line, reply in zip(lines, replies, strict=True):
            thought = reply.text.strip()
            if thought and normal(thought) not in map(normal, line.thoughts):
                grown = replace(line, thoughts=(*line.thoughts, thought))
                fresh.setdefault(normal(grown.told), grown)
        return {"fresh": list(fresh.values()), "level": state["level"] + 1}

    async def _judge(self, state: TreeOfThoughtsState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        replies = await side_by_side(
            desk.say(opening(desk, line.told, _JUDGE), choices=WORTHS) for line in state["fresh"]
        )
        judged = [
            replace(line, worth=WORTHS.index(reply.text))
            for line, reply in zip(state["fresh"], replies, strict=True)
        ]
        found = [line for line in state["lines"] if line.ended] + judged
        hopeful = [line for line in found if line.worth] or found
        lines = sorted(hopeful, key=lambda line: -line.worth)[: self.breadth] or state["lines"]
        sure = lines[0].ended and lines[0].worth == len(WORTHS) - 1
        over = sure or not judged or state["level"] >= self.depth or all(line.ended for line in lines)
        return onward("answer" if over else "think", {"lines": lines, "fresh": []})

    async def _answer(self, state: TreeOfThoughtsState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk, best = runtime.context, state["lines"][0]
        if best.ended:
            answer = final(best.thoughts[-1])
            show(desk, answer)
            return {"answer": answer}
        return {"answer": await answered(desk, opening(desk, best.told, HOW))}
