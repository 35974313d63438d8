"""The planner: finds out what a request is, chooses who plans it, and lets no plan out that the checker refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from ..agents.aptitude import Aptitude
from ..agents.crew import Crew, Process
from ..agents.model import Message, ModelClient
from ..runtime.budget import Budget
from ..runtime.context import RunContext
from ..runtime.errors import InvalidPlan, Unreachable
from ..runtime.events import PlanMade
from ..runtime.graph import Task
from ..runtime.journalling.row import decode
from ..runtime.scheduler import Growth
from ..runtime.worker import Worker
from ..tools.text import language_of
from .asked import Asked
from .clearing import Clearing
from .growing import Grower
from .intent.form.small_talk import is_small_talk
from .intent.intents import Intents
from .intent.kinds import UNSURE, Intent, Kind
from .plan import ANSWER, Estimate, Plan
from .services import NO_SERVICES, Services
from .strategies.strategy import Strategy
from .ways import Mode, strategy

if TYPE_CHECKING:
    from .replanning.replanner import Replanner

REFUSED = "refused"
"""`Plan.strategy` where nothing is done, for the request asks for harm."""

_PLANLESS = frozenset({"small_talk", "unsafe"})
_BELIEVING = frozenset({"model", "stream", "stepwise", "rewoo", "adapt"})
"""Who chooses one of these believes the model, whatever its quiz says."""

_BY_MODELS = frozenset({"model", "stream", "stepwise", "rewoo", "guided", "recalled"})
"""Strategies whose plans are worth keeping: the rules make theirs again for nothing."""


@dataclass(frozen=True)
class Planner:
    """Plans for one crew on one model. `aptitude` tells what the model can be trusted with; it is asked once. `budget` is
    what plans have to fit, left out what the run may use: a replay may use anything, and plans as it did then.
    """

    crew: Crew
    client: ModelClient
    aptitude: Callable[[], Awaitable[Aptitude]]
    mode: Mode = "auto"
    services: Services = field(default=NO_SERVICES)
    budget: Budget | None = None

    async def asked(self, request: str, ctx: RunContext, history: Sequence[Message] = ()) -> Asked:
        """The request with all that is known of it before it is planned: what it is, who may plan it, plans like it."""
        budget = self.budget or ctx.meter.budget
        asked = Asked(self.crew, request, history=tuple(history), budget=budget)
        asked = replace(asked, intent=await self._intent(asked, ctx))
        if not self._free or asked.intent.kind in _PLANLESS or self.mode == "rules":
            return asked
        if self.mode == "auto" and (asked.intent.kind != "plan" or await ctx.frugal()):
            return asked
        aptitude = await self.aptitude()
        asked = replace(asked, aptitude=aptitude, trusted=self.mode in _BELIEVING or aptitude.plans)
        if not asked.trusted:
            return asked
        return await self._with_examples(asked, ctx)

    async def asked_again(
        self, request: str, planned: PlanMade, ctx: RunContext, history: Sequence[Message] = ()
    ) -> Asked:
        """The same, for a plan that an earlier sitting made. Where that is still being written, so is what it is asked by."""
        kind = cast(Kind, planned.intent or "plan")
        intent = Intent(kind=kind, language=language_of(request))
        trusted = planned.trusted or planned.strategy == "model"
        budget = self.budget or ctx.meter.budget
        asked = Asked(self.crew, request, intent, tuple(history), budget=budget, trusted=trusted)
        return await self._with_examples(asked, ctx) if planned.growing else asked

    async def _with_examples(self, asked: Asked, ctx: RunContext) -> Asked:
        from .memory.recalling import examples_for

        examples = await examples_for(self.services.memory, asked.request, self.crew, ctx)
        return replace(asked, examples=examples)

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A checked plan for a request. One that is refused for its intent has no tasks.

        Raises:
            InvalidPlan: no valid plan could be made; the message says what is wrong with it.
            Unreachable: no tool leads to what is wished.
            EngineError: the model was needed and did not answer.
        """
        if asked.intent.kind == "unsafe":
            return Plan(tasks=(), strategy=REFUSED, notes=(asked.intent.why,))
        clearing = Clearing(self.services, ctx)
        if asked.intent.kind == "small_talk":
            answer = Task(id=ANSWER, description="Reply", agent=self.crew.agents[-1].role)
            notes = ("Small talk: no plan is needed.",)
            return await clearing.cleared(Plan(tasks=(answer,), strategy="small_talk", notes=notes), asked)
        if self._free:
            _refuse_deed(asked)  # before a model is paid for a plan
        said: list[str] = []
        for name in self._order(asked, said):
            by = self._own if name == "own" and self._own is not None else self._by(name)
            try:
                plan = await by.plan(asked, ctx)
                if self._free:
                    _refuse_deed(asked, plan)
                cleared = await clearing.cleared(plan, asked)
            except InvalidPlan as error:
                if name in (self.mode, "rules", "own", "process"):
                    raise
                if name != "recalled":
                    said.append(f"{error} The rules planned instead.")
                continue
            return cleared.model_copy(update={"notes": (*said, *cleared.notes)})
        raise InvalidPlan("No valid plan could be made.")

    def growing(self, asked: Asked) -> PlanMade | None:
        """The beginning of a plan whose tasks are carried out while it is written; None where it is made whole first."""
        if asked.intent.kind in _PLANLESS or self.crew.process != Process.planned:
            return None
        if self._free and _undone(asked) is not None:
            return None  # it is refused when it is planned
        return self._grower.begun(asked, self.mode)

    def growth(self, asked: Asked, ctx: RunContext, planned: PlanMade) -> Growth:
        """What gives the tasks of a growing plan."""
        return self._grower.growth(asked, ctx, planned, self.mode)

    @property
    def _grower(self) -> Grower:
        return Grower(self.client, self.services)

    async def changed(self, asked: Asked, ctx: RunContext) -> Plan | None:
        """Another plan where the one before could not be carried out; None where nothing useful is left to do.

        A crew whose author fixed the tasks, or the process, does these or none.
        """
        if self._fixed or _is_old(ctx):
            return None
        plan = await self._own_change(asked, ctx) or await self._replanner().change(asked, ctx)
        if plan is None:
            return None
        return Clearing(self.services, ctx).changed(plan, asked)

    async def _own_change(self, asked: Asked, ctx: RunContext) -> Plan | None:
        """What the crew's own planner makes of a plan that could not be carried out, for as often as plans may be changed."""
        replanner, so_far = self._replanner(), asked.so_far
        if self._own is None or so_far is None or so_far.changes >= replanner.limit:
            return None
        try:
            return await self._own.plan(asked, ctx)
        except InvalidPlan as error:
            await ctx.note(f"The crew's own planner has no other plan: {error}")
            return None

    def guarded(self, worker: Worker, ctx: RunContext, planned: PlanMade) -> Worker:
        """The worker, watched for a rest of the plan that does not fit the budget any more."""
        if planned.estimate is None or self._fixed:
            return worker
        from .replanning.guard import Guarded

        estimates = Estimate.model_validate(planned.estimate).tasks
        return Guarded(worker, self.crew, planned.tasks, estimates, ctx)

    async def learn(
        self, asked: Asked, tasks: Sequence[Task], planned: PlanMade, ctx: RunContext, *, worked: bool
    ) -> None:
        """Keep a plan of a model's that worked, or count against the kept ones that it failed."""
        memory = self.services.memory
        if memory is None or ctx.replaying or asked.history or planned.strategy not in _BY_MODELS:
            return
        if worked:
            # What a task was thought to take this time is no part of how its like is planned.
            plain = [task.model_copy(update={"expected_seconds": None}) for task in tasks]
            await memory.keep(
                asked.request,
                plain,
                self.crew,
                run_id=ctx.run_id,
                tenant=ctx.tenant,
                strategy=planned.strategy,
            )
        else:
            await memory.failed(asked.request, tasks, self.crew, run_id=ctx.run_id, tenant=ctx.tenant)

    @property
    def _fixed(self) -> bool:
        """Whether the author said what is done: the tasks, or the process."""
        return bool(self.crew.tasks) or self.crew.process != Process.planned

    @property
    def _free(self) -> bool:
        """Whether the plan is ours to make: neither the author nor a planner of the author's says what is done."""
        return not self._fixed and self._own is None

    @property
    def _own(self) -> Strategy | None:
        """The crew's own planner, where it has one and nothing else is asked for."""
        own = self.crew.planner
        return own if self.mode == "auto" and isinstance(own, Strategy) else None

    def _order(self, asked: Asked, notes: list[str]) -> list[str]:
        """Who is asked to plan, one after the other; what people should know of that goes into `notes`."""
        if self.crew.process != Process.planned:
            return ["process"]
        if self._own is not None:
            return ["own"]
        if self.crew.tasks or self.mode == "rules":
            return ["rules"]
        if self.mode != "auto":
            return [self.mode]
        if asked.trusted:
            return ["recalled", "model", "rules"]
        if asked.aptitude is not None:
            notes.append(f"{asked.aptitude}: too weak to plan, so the rules planned.")
        elif asked.intent.kind == "plan":
            notes.append("The budget runs low, so the rules planned: they cost no tokens.")
        return ["rules"]

    def _by(self, name: str) -> Strategy:
        if name == "recalled":
            from .strategies.recalled import Recalled

            return Recalled()
        if name == "process":
            from .strategies.process import ByProcess

            return ByProcess()
        return strategy(name, self.client)

    def _replanner(self) -> Replanner:
        from .replanning.replanner import Replanner

        return Replanner(model=strategy("model", self.client), rules=strategy("rules", self.client))

    async def _intent(self, asked: Asked, ctx: RunContext) -> Intent:
        """What the request is. A run that was planned before requests were told apart is replayed as it was."""
        if _is_old(ctx):
            small = not self.crew.tasks and is_small_talk(asked.request, self.crew.toolset.values())
            language = language_of(asked.request)
            return UNSURE.model_copy(update={"kind": "small_talk" if small else "plan", "language": language})
        intents = self.services.intents or Intents()
        return await intents.of(asked.request, self.crew, ctx=ctx, history=asked.history)


def _is_old(ctx: RunContext) -> bool:
    """Whether this is the replay of a run of a release that told no requests apart and changed no plans."""
    plans = ctx.journal.plans
    return ctx.replaying and bool(plans) and not cast(PlanMade, decode(plans[0])).intent


def _undone(asked: Asked, plan: Plan | None = None) -> Unreachable | None:
    """What is to be said where something is to be done that no tool does, and a model would only say that it was."""
    if asked.intent.kind not in ("plan", "tools"):
        return None
    from .reach import unreachable

    return unreachable(asked, plan)


def _refuse_deed(asked: Asked, plan: Plan | None = None) -> None:
    error = _undone(asked, plan)
    if error is not None:
        raise error
