"""Owns a plan that is only looked at: made by the house, estimated, and held against a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ...session import Session

if TYPE_CHECKING:
    from .....agents.crew import Crew
    from .....planner.plan import Estimate, Finding
    from .....runtime.budget import Budget
    from .....runtime.events import PlanMade


class Planned(NamedTuple):
    """A plan, what it is thought to take, and where that goes beyond the budget."""

    plan: PlanMade
    estimate: Estimate
    findings: list[Finding]


async def plan_once(
    session: Session,
    crew: Crew,
    request: str,
    planner: Literal["auto", "model", "rules"],
    path: str,
    budget: Budget | None,
    *,
    quiet: bool,
) -> Planned:
    """The plan for a request, not carried out. With `quiet`, nothing of it is shown on stdout meanwhile.

    Raises:
        InvalidRequest: the request is empty or too long.
        InvalidPlan: no valid plan could be made.
    """
    from .....planner.estimating.affordable import over_budget
    from .....planner.estimating.estimate import estimate
    from .....planner.plan import Estimate
    from .....runtime.budget import Budget
    from ....house import House
    from ....measures import PastWork
    from ...screens.screen import open_screen

    with open_screen(json=quiet) as screen:
        async with House.open(session.settings, on_progress=screen.progress) as house:
            plan = await house.plan(crew, request, planner=planner, crew_path=path)
            if plan.estimate is not None:
                taken = Estimate.model_validate(plan.estimate)
            else:
                taken = estimate(plan.tasks, crew, await PastWork(house.store)(crew))
    return Planned(plan, taken, over_budget(taken, budget or Budget(), plan.tasks, crew))


def refuse(planned: Planned) -> None:
    """Say of a plan over its budget what would fit.

    Raises:
        InvalidPlan: what is known to be taken is more than the budget allows.
    """
    from .....planner.plan import wrong
    from .....runtime.errors import InvalidPlan

    if found := wrong(planned.findings):
        said = "; ".join(f"{finding.problem}: {finding.mend}" for finding in found)
        raise InvalidPlan(f"The plan is over its budget: {said}.")
