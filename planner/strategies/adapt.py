"""The ADaPT strategy: one task first, and smaller ones only where that fails.

After Prasad et al., "ADaPT: As-Needed Decomposition and Planning with Language Models" (2023): whoever carries a task out
tries it whole, and what fails is broken down, and its parts again where they fail. Here the agent tries, and the
replanner breaks down what failed, by the same inner strategy, for as often as it may change a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...agents.agent import Agent
from ...runtime.context import RunContext
from ...runtime.graph import RESULT, Task
from ...runtime.policy import Condition
from ...tools.text import tokens
from ..asked import Asked
from ..plan import ANSWER, Plan
from .strategy import Strategy

ADAPT = "adapt"
"""`Plan.strategy` of a plan that is one task, to be broken down only where it fails."""


@dataclass(frozen=True)
class Adapt:
    """Plans as one task for the agent whose tools and goal are nearest; `inner` plans where something has failed.

    It is for agents that choose their own actions: where the model is not trusted with that, `inner` plans from the start.
    """

    inner: Strategy

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """One task, which is expected to come to anything at all; `inner`'s plan after a failure.

        Raises:
            InvalidPlan, EngineError: as `inner` does.
        """
        if asked.so_far is not None or not asked.trusted:
            return await self.inner.plan(asked, ctx)
        whole = Task(
            id=ANSWER,
            description=asked.request,
            agent=nearest(asked).role,
            expects=(Condition(value=f"${RESULT}", test="not_empty"),),
        )
        return Plan(tasks=(whole,), strategy=ADAPT, notes=("One task, to be broken down only if it fails.",))


def nearest(asked: Asked) -> Agent:
    """The agent to try a whole request: of those with tools, the one that shares most words with it; else the last."""
    wanted = set(tokens(asked.request))

    def shared(agent: Agent) -> int:
        tools = asked.crew.tools_of(agent).values()
        said = " ".join([agent.description, *(f"{t.name} {t.description}" for t in tools if not t.combines)])
        return len(wanted & set(tokens(said.replace("_", " "))))

    able = [a for a in asked.crew.agents if any(not t.combines for t in asked.crew.tools_of(a).values())]
    return max(able, key=shared, default=asked.crew.agents[-1])
