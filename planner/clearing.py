"""Clearing: what is done to every plan before it leaves: made safe, estimated, held against the checker and the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..agents.crew import Crew
from ..runtime.context import RunContext
from ..runtime.errors import InvalidInput, InvalidPlan
from ..runtime.events import PlanMade
from ..runtime.graph import Task
from ..runtime.journalling.row import decode
from .asked import Asked
from .checking.checker import check
from .checking.risks import Risky
from .checking.securing import secure
from .estimating.affordable import cheapest, over_budget
from .estimating.estimate import added_up, estimate, with_seconds
from .estimating.measures import NOTHING_KNOWN, Measures, guess
from .plan import Estimate, Finding, Plan, TaskEstimate, listed, wrong
from .services import Services

_BY_RULES = frozenset(
    {"rules", "direct", "small_talk", "refused", "sequential", "hierarchical", "conversation"}
)


@dataclass(frozen=True)
class Clearing:
    """Clears plans for one run."""

    services: Services
    ctx: RunContext

    async def cleared(self, plan: Plan, asked: Asked) -> Plan:
        """The plan as it may be carried out, with what it is thought to take.

        Tasks that use one thing are put in an order, risky ones marked; where it takes more than the budget, optional
        tasks are left out, and what is left out is said.

        Raises:
            InvalidPlan: the checker refuses it, or it does not fit the budget; the message says what would.
        """
        secured = secure(plan.tasks, asked.crew, risky=risky_of(plan, asked.crew), said=asked.said)
        findings = [*plan.findings, *secured.findings]
        thought = await self._thought(secured.tasks, asked.crew)
        tasks = secured.tasks if thought is None else with_seconds(secured.tasks, thought)
        findings += check(tasks, asked.crew, budget=None if thought is not None else asked.budget)
        if not wrong(findings) and thought is not None:
            cleared = self._within(plan.model_copy(update={"tasks": tasks}), thought, findings, asked)
            if cleared is not None:
                return cleared
        if wrong(findings):
            raise InvalidPlan(f"No valid plan could be made: {listed(wrong(findings))}")
        return plan.model_copy(update={"tasks": tasks, "findings": _once(findings), "estimate": thought})

    async def _thought(self, tasks: Sequence[Task], crew: Crew) -> Estimate | None:
        """What the tasks are thought to take. A replay takes what was thought then, for more is known by now."""
        if not self.ctx.replaying:
            known = (
                await self.services.measures(crew) if self.services.measures is not None else NOTHING_KNOWN
            )
            return _estimated(tasks, crew, known)
        plans = self.ctx.journal.plans
        told = cast(PlanMade, decode(plans[0])).estimate if plans else None
        if told is None:
            return None
        then = Estimate.model_validate(told).tasks
        return _added_up(tasks, crew, {task.id: then.get(task.id) or guess(task, crew) for task in tasks})

    def changed(self, plan: Plan, asked: Asked) -> Plan:
        """A plan in the place of another one, as it may be carried out. Nobody is asked again what past runs took.

        Raises:
            InvalidPlan: the checker refuses it.
        """
        risky = asked.crew.risky or ("ask" if asked.trusted else "note")
        secured = secure(plan.tasks, asked.crew, risky=risky, said=asked.said)
        before = asked.so_far
        done = {task.id: task for task in plan.tasks if before is not None and task.id in before.results}
        tasks = tuple(
            done.get(task.id, task) for task in secured.tasks
        )  # what is done waits for nothing any more
        findings = [*plan.findings, *secured.findings, *check(tasks, asked.crew)]
        if wrong(findings):
            raise InvalidPlan(f"No valid plan could be made: {listed(wrong(findings))}")
        thought = None
        if before is not None and before.estimate is not None:
            alike = {
                task.tool or task.agent: before.estimate.tasks[task.id]
                for task in before.tasks
                if task.id in before.estimate.tasks
            }
            taken = {
                task.id: before.estimate.tasks.get(task.id)
                or alike.get(task.tool or task.agent)
                or guess(task, asked.crew)
                for task in tasks
            }
            thought = added_up(tasks, asked.crew, taken)
        update = {"tasks": tasks, "findings": _once(findings), "estimate": thought}
        return plan.model_copy(update=update)

    def _within(self, plan: Plan, thought: Estimate, findings: list[Finding], asked: Asked) -> Plan | None:
        """The plan within its budget; None, with `findings` saying why, where it is not to be had."""
        over = over_budget(thought, asked.budget, plan.tasks, asked.crew)
        if wrong(over):
            fewer = cheapest(plan.tasks, asked.crew, thought, asked.budget)
            if fewer is None:
                findings += over
                return None
            kept = {task.id for task in fewer}
            out = tuple(task for task in plan.tasks if task.id not in kept)
            # What was left out may have stood between two that must not be side by side.
            fewer, mended = secure(fewer, asked.crew, risky=risky_of(plan, asked.crew), said=asked.said)
            findings += [*mended, *check(fewer, asked.crew)]
            if wrong(findings):
                return None
            # What was left out stays known, so that a replay leaves out the same.
            thought = added_up(fewer, asked.crew, thought.tasks).model_copy(update={"tasks": thought.tasks})
            lost = tuple(
                f"{task.description or task.id} (left out to stay within the budget)" for task in out
            )
            note = f"To stay within the budget, {', '.join(task.id for task in out)} was left out."
            plan = plan.model_copy(
                update={"tasks": fewer, "missing": (*plan.missing, *lost), "notes": (*plan.notes, note)}
            )
            over = over_budget(thought, asked.budget, fewer, asked.crew)
        findings += over
        return plan.model_copy(update={"findings": _once(findings), "estimate": thought})


def risky_of(plan: Plan, crew: Crew) -> Risky:
    """What becomes of risky calls: as the crew's author says, else a person is asked where a model has planned them.

    A planner of the author's own is taken at its word.
    """
    if crew.risky is not None:
        return crew.risky
    if (
        plan.strategy == "symbolic"
    ):  # arguments are what was searched for: none of them has to stand in the request
        return "allow"
    return "note" if plan.strategy in _BY_RULES or crew.planner is not None else "ask"


def _added_up(tasks: Sequence[Task], crew: Crew, taken: Mapping[str, TaskEstimate]) -> Estimate | None:
    """None where the tasks are no graph, which the checker says."""
    try:
        return added_up(tasks, crew, taken)
    except InvalidInput:
        return None


def _estimated(tasks: Sequence[Task], crew: Crew, measures: Measures) -> Estimate | None:
    """None where the tasks are no graph."""
    try:
        return estimate(tasks, crew, measures)
    except InvalidInput:
        return None


def _once(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
