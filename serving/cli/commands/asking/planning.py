"""Owns a plan that is only looked at: made by the house, estimated, and held against a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...session import Session

if TYPE_CHECKING:
    from .....agents.crew import Crew
    from .....planner.plan import Estimate, Finding
    from .....planner.ways import Mode
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
    planner: Mode,
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


def show(planned: Planned, *, as_json: bool) -> None:
    """Print a plan. One over its budget is shown to people all the same.

    Raises:
        InvalidPlan: it is over its budget; the message offers the cheapest alternative.
    """
    from .....planner.estimating.affordable import refuse
    from ...pictures.report import print_plan

    if as_json:
        refuse(planned.findings)
    print_plan(planned.plan, planned.estimate, planned.findings, as_json=as_json)
    refuse(planned.findings)
