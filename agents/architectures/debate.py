"""Debate: several speakers answer, see what the others say, and answer again; where they do not agree, a judge decides.

After Du et al., "Improving Factuality and Reasoning in Language Models through Multiagent Debate" (2023), with the judge
of Liang et al., "Encouraging Divergent Thinking in Large Language Models through Multi-Agent Debate" (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from ...runtime.errors import InvalidCrew
from ..model import Message
from .answers import HOW, answered, final, opening, same_form, show
from .architecture import Concluded
from .flow import at_least_one, onward, side_by_side, walk

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from ..agent import Agent
    from ..desk import Desk

PERSONAS = (
    "You work out the answer in the most direct way.",
    "You distrust the answer that comes to mind first, and check every step of it.",
)
"""Who debates where nobody is named."""

_VERDICT = (
    "Several people have debated this. Weigh their reasons, not how many they are, and decide what is right."
)


class DebateState(TypedDict):
    """What flows through the graph: what the speakers said in each round, in their order, and the answer."""

    rounds: list[list[str]]
    answer: str


@dataclass(frozen=True)
class Debate:
    """Speakers who debate for at most `rounds` rounds, and the agent itself as their judge.

    They are `colleagues` of the crew, by their roles, each with its own model; or else the agent in several `personas`.
    No tools are used.

    Raises:
        InvalidCrew: there are fewer than two speakers, or no rounds.
    """

    personas: Sequence[str] = PERSONAS
    colleagues: Sequence[str] = ()
    rounds: int = 2
    name: ClassVar[str] = "debate"

    def __post_init__(self) -> None:
        at_least_one(self.name, rounds=self.rounds)
        if self._speakers < 2:
            raise InvalidCrew(
                "A debate needs two speakers: name two colleagues or personas, or leave both out."
            )

    @property
    def _speakers(self) -> int:
        return len(self.colleagues or self.personas)

    def most_calls(self, agent: Agent) -> int:
        """One for each speaker and round, and one for the judge; those who agree in the first round need no more."""
        return self._speakers * self.rounds + 1

    def graph(self, desk: Desk | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Its graph; a desk goes in as the context of a run."""
        return self._graph

    async def conclude(self, desk: Desk) -> Concluded:
        """What the speakers agree on, or the judge decides."""
        last = await walk(self._graph, {"rounds": [], "answer": ""}, desk, nodes=self.rounds + 1)
        return Concluded(last["answer"])

    @cached_property
    def _graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        from langgraph.graph import END, START, StateGraph

        from ..desk import Desk

        builder = StateGraph(DebateState, context_schema=Desk)
        builder.add_node("round", self._round, destinations=("round", "judge"))
        builder.add_node("judge", self._judge)
        builder.add_edge(START, "round")
        builder.add_edge("judge", END)
        return builder.compile(name=self.name)

    async def _round(self, state: DebateState, runtime: Runtime[Desk]) -> Command[Any]:
        desk = runtime.context
        said = await side_by_side(
            self._desk(desk, speaker).say(self._asked(desk, speaker, state["rounds"]), seed=speaker)
            for speaker in range(self._speakers)
        )
        rounds = [*state["rounds"], [reply.text.strip() for reply in said]]
        return onward("judge" if self._over(rounds) else "round", {"rounds": rounds})

    def _desk(self, desk: Desk, speaker: int) -> Desk:
        if not self.colleagues:
            return desk
        agent = desk.crew.agent(self.colleagues[speaker])
        return replace(desk, agent=agent, toolset=desk.crew.tools_of(agent))

    def _asked(self, desk: Desk, speaker: int, rounds: list[list[str]]) -> list[Message]:
        persona = "" if self.colleagues else self.personas[speaker]
        messages = opening(self._desk(desk, speaker), persona, HOW)
        for said in rounds:
            others = "\n\n".join(f"Another says:\n{text}" for n, text in enumerate(said) if n != speaker)
            again = (
                f"{others}\n\nWhere they are right, change your answer; where they are wrong, keep it. {HOW}"
            )
            messages += [Message("assistant", said[speaker]), Message("user", again)]
        return messages

    def _over(self, rounds: list[list[str]]) -> bool:
        """Whether all agree, nobody has moved since the round before, or no rounds are left."""
        *_, last = forms = [[same_form(final(text)) for text in said] for said in rounds]
        return len(set(last)) == 1 or last in forms[-2:-1] or len(forms) >= self.rounds

    async def _judge(self, state: DebateState, runtime: Runtime[Desk]) -> dict[str, Any]:
        desk, last = runtime.context, state["rounds"][-1]
        answers = [final(text) for text in last]
        if len({same_form(answer) for answer in answers}) == 1:
            show(desk, answers[0])
            return {"answer": answers[0]}
        debated = "\n\n".join(f"Speaker {n} says:\n{text}" for n, text in enumerate(last, 1))
        return {"answer": await answered(desk, opening(desk, debated, f"{_VERDICT} {HOW}"))}
