"""Self-consistency: the same question several times over, and the answer that most of the replies come to.

After Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (2022). The samples are
drawn side by side, each with a seed of its own; of answers with as many votes the one of the lowest seed is taken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from .answers import HOW, final, opening, same_form, show
from .architecture import Concluded
from .flow import at_least_one, side_by_side, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

    from ..agent import Agent
    from ..desk import Desk


class SelfConsistencyState(TypedDict):
    """What flows through the graph: the sampled answers, and the one that won."""

    answers: list[str]
    answer: str


@dataclass(frozen=True)
class SelfConsistency:
    """A vote of `samples` replies, drawn at `temperature`. It uses no tools."""

    samples: int = 5
    temperature: float = 0.7
    name: ClassVar[str] = "self_consistency"

    def __post_init__(self) -> None:
        at_least_one(self.name, samples=self.samples)

    def most_calls(self, agent: Agent) -> int:
        """One for each sample; never fewer."""
        return self.samples

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """The answer with the most votes."""
        last = await walk(self._graph, {"answers": [], "answer": ""}, desk, nodes=2)
        return Concluded(last["answer"])

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(SelfConsistencyState, context_schema=Desk)
        builder.add_node("sample", self._sample)
        builder.add_node("vote", self._vote)
        builder.add_edge(START, "sample")
        builder.add_edge("sample", "vote")
        builder.add_edge("vote", END)
        return builder.compile(name=self.name)

    async def _sample(self, state: SelfConsistencyState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk = runtime.context
        asked = opening(desk, HOW)
        replies = await side_by_side(
            desk.say(asked, temperature=self.temperature, seed=seed) for seed in range(self.samples)
        )
        return {"answers": [final(reply.text) for reply in replies]}

    async def _vote(self, state: SelfConsistencyState, runtime: Runtime[Desk]) -> dict[str, Any]:
        answer, votes = elected(state["answers"])
        if 2 * votes <= len(state["answers"]):
            await runtime.context.ctx.note(
                f"Only {votes} of {len(state['answers'])} samples came to this answer."
            )
        show(runtime.context, answer)
        return {"answer": answer}


def elected(answers: list[str]) -> tuple[str, int]:
    """The answer with the most votes, in its earliest wording, and how many it had. Of equals the earliest."""
    forms = [same_form(answer) for answer in answers]
    votes = Counter(form for form in forms if form) or Counter(forms)
    form, count = votes.most_common(1)[0]
    return answers[forms.index(form)], count
