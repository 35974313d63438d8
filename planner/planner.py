"""The planner: chooses how a request is planned, and lets no plan out that the checker refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew
from ..agents.model import Message, ModelClient
from ..runtime.context import RunContext
from ..runtime.errors import InvalidPlan
from ..runtime.events import PlanMade
from ..runtime.graph import Task
from ..runtime.scheduler import Growth
from ..runtime.worker import Worker
from ..tools.text import language_of
from .asked import Asked
from .checking.checker import check
from .intent.kinds import UNSURE, Intent, Kind
from .intent.small_talk import is_small_talk
from .plan import ANSWER, Plan, listed, wrong
from .services import NO_SERVICES, Services
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
    services: Services = field(default=NO_SERVICES)

    async def asked(self, request: str, ctx: RunContext, history: Sequence[Message] = ()) -> Asked:
        """The request with all that is known of it before it is planned: what kind it is, who may plan it."""
        asked = Asked(self.crew, request, history=history, budget=ctx.meter.budget)
        if not self.crew.tasks and is_small_talk(request, self.crew.toolset.values()):
            intent = Intent(kind="small_talk", language=language_of(request), confidence=1.0, by="rules")
            return replace(asked, intent=intent)
        return replace(asked, intent=UNSURE.model_copy(update={"language": language_of(request)}))

    def asked_again(
        self, request: str, planned: PlanMade, ctx: RunContext, history: Sequence[Message] = ()
    ) -> Asked:
        """The same, for a plan that an earlier sitting made."""
        kind = cast(Kind, planned.intent or "plan")
        intent = Intent(kind=kind, language=language_of(request))
        return Asked(self.crew, request, intent, history, budget=ctx.meter.budget, trusted=planned.trusted)

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A checked plan for a request.

        Raises:
            InvalidPlan: no valid plan could be made; the message says what is wrong with it.
            EngineError: the model was needed and did not answer.
        """
        if asked.intent.kind == "small_talk":
            answer = Task(id=ANSWER, description="Reply", agent=self.crew.agents[-1].role)
            notes: tuple[str, ...] = ("Small talk: no plan is needed.",)
            return self._checked(Plan(tasks=(answer,), strategy="small_talk", notes=notes), ctx)
        notes = ()
        if self.mode == "auto" and await ctx.frugal():
            notes = ("The budget runs low, so the rules planned: they cost no tokens.",)
        elif self.mode != "rules" and not self.crew.tasks:
            aptitude = await self.aptitude()
            if self.mode == "model" or aptitude.plans:
                try:
                    return await self._by_model(asked, ctx)
                except InvalidPlan as error:
                    if self.mode == "model":
                        raise
                    notes = (f"{error} The rules planned instead.",)
            else:
                notes = (f"{aptitude}: too weak to plan, so the rules planned.",)
        plan = by_rules(self.crew, asked.request, earlier=asked.earlier)
        return self._checked(plan.model_copy(update={"notes": (*notes, *plan.notes)}), ctx)

    def growing(self, asked: Asked, ctx: RunContext) -> PlanMade | None:
        """The beginning of a plan whose tasks are carried out while it is written; None where it is written whole."""
        return None

    def growth(self, asked: Asked, ctx: RunContext, planned: PlanMade) -> Growth:
        """What gives the tasks of a growing plan."""
        raise NotImplementedError

    async def changed(self, asked: Asked, ctx: RunContext) -> Plan | None:
        """Another plan where the one before could not be carried out; None where nothing useful is left to do."""
        return None

    def guarded(self, worker: Worker, asked: Asked, ctx: RunContext, planned: PlanMade) -> Worker:
        """The worker, watched for what the plan cannot afford."""
        return worker

    async def _by_model(self, asked: Asked, ctx: RunContext) -> Plan:
        from .strategies.model_plan import by_model

        return await by_model(self.crew, asked.request, self.client, ctx, history=asked.history)

    def _checked(self, plan: Plan, ctx: RunContext) -> Plan:
        findings = wrong(check(plan.tasks, self.crew, budget=ctx.meter.budget))
        if findings:
            raise InvalidPlan(f"No valid plan could be made: {listed(findings)}")
        return plan
