"""Clearing: what is done to every plan before it leaves: made safe, estimated, held against the checker and the budget."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents.crew import Crew
from ..runtime.context import RunContext
from ..runtime.errors import InvalidPlan
from .asked import Asked
from .checking.checker import check
from .checking.securing import secure
from .estimating.affordable import cheapest, over_budget
from .estimating.estimate import added_up, estimate, measured, with_seconds
from .estimating.measures import NOTHING_KNOWN, Known, guess
from .plan import Estimate, Finding, Plan, listed, wrong
from .services import Services


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
        secured = secure(plan.tasks, asked.crew, risky=asked.crew.risky, said=_said(asked))
        findings = [*plan.findings, *secured.findings]
        tasks, thought = secured.tasks, None
        known = None
        if self.services.measures is not None or self.ctx.replaying:
            known = await measured(self.ctx, asked.crew, self.services.measures or _nowhere)
        if known is not None or not self.ctx.replaying:
            thought = estimate(tasks, asked.crew, known or NOTHING_KNOWN)
            if known is not None:
                tasks = with_seconds(tasks, thought)
        findings += check(tasks, asked.crew, budget=asked.budget)
        if not wrong(findings) and thought is not None:
            cleared = self._within(plan.model_copy(update={"tasks": tasks}), thought, findings, asked)
            if cleared is not None:
                return cleared
        if wrong(findings):
            raise InvalidPlan(f"No valid plan could be made: {listed(wrong(findings))}")
        return plan.model_copy(update={"tasks": tasks, "findings": _once(findings), "estimate": thought})

    def changed(self, plan: Plan, asked: Asked) -> Plan:
        """A plan in the place of another one, as it may be carried out. Nobody is asked again what past runs took.

        Raises:
            InvalidPlan: the checker refuses it.
        """
        secured = secure(plan.tasks, asked.crew, risky=asked.crew.risky, said=_said(asked))
        findings = [*plan.findings, *secured.findings, *check(secured.tasks, asked.crew)]
        if wrong(findings):
            raise InvalidPlan(f"No valid plan could be made: {listed(wrong(findings))}")
        before = asked.so_far
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
                for task in secured.tasks
            }
            thought = added_up(secured.tasks, asked.crew, taken)
        update = {"tasks": secured.tasks, "findings": _once(findings), "estimate": thought}
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
            thought = added_up(fewer, asked.crew, thought.tasks)
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


async def _nowhere(crew: Crew) -> Known:
    raise AssertionError("a replay reads what past runs took from the journal")


def _said(asked: Asked) -> str:
    return "\n".join([*(m.content for m in asked.history if m.role == "user"), asked.request])


def _once(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
