"""The planner: chooses how a request is planned, and lets no plan out that the checker refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient
from ..runtime.context import RunContext
from ..runtime.errors import InvalidPlan
from ..runtime.graph import Task
from .checking.checker import check
from .intent.small_talk import is_small_talk
from .plan import ANSWER, Plan, listed
from .strategies.rules import by_rules

Mode = Literal["auto", "model", "rules"]
"""Who plans: the model, the rules, or (auto) the model where it has shown that it can."""


@dataclass(frozen=True)
class Planner:
    """Plans for one crew on one model. `aptitude` tells what the model can be trusted with; it is asked once."""

    crew: Crew
    client: ModelClient
    aptitude: Callable[[], Awaitable[Aptitude]]
    mode: Mode = "auto"

    async def plan(self, request: str, ctx: RunContext, *, history: Sequence[Message] = ()) -> Plan:
        """A checked plan for a request.

        Raises:
            InvalidPlan: no valid plan could be made; the message says what is wrong with it.
            EngineError: the model was needed and did not answer.
        """
        if not self.crew.tasks and is_small_talk(request, self.crew.toolset.values()):
            answer = Task(id=ANSWER, description="Reply", agent=self.crew.agents[-1].role)
            return self._checked(
                Plan(tasks=(answer,), strategy="small_talk", notes=("Small talk: no plan is needed.",)), ctx
            )
        notes: tuple[str, ...] = ()
        if self.mode == "auto" and await ctx.frugal():
            notes = ("The budget runs low, so the rules planned: they cost no tokens.",)
        elif self.mode != "rules" and not self.crew.tasks:
            aptitude = await self.aptitude()
            if self.mode == "model" or aptitude.plans:
                try:
                    return await self._by_model(request, ctx, history)
                except InvalidPlan as error:
                    if self.mode == "model":
                        raise
                    notes = (f"{error} The rules planned instead.",)
            else:
                notes = (f"{aptitude}: too weak to plan, so the rules planned.",)
        earlier = next((m.content for m in reversed(history) if m.role == "user"), "")
        plan = by_rules(self.crew, request, earlier=earlier)
        return self._checked(plan.model_copy(update={"notes": (*notes, *plan.notes)}), ctx)

    async def _by_model(self, request: str, ctx: RunContext, history: Sequence[Message]) -> Plan:
        from .strategies.model_plan import by_model

        return await by_model(self.crew, request, self.client, ctx, history=history)

    def _checked(self, plan: Plan, ctx: RunContext) -> Plan:
        findings = check(plan.tasks, self.crew, budget=ctx.meter.budget)
        if findings:
            raise InvalidPlan(f"No valid plan could be made: {listed(findings)}")
        return plan
