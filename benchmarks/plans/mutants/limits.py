"""Ways of breaking limits that a plan does not keep to."""

from __future__ import annotations

from crewgraph import Allowance
from crewgraph.runtime.budget import Budget

from ..judge import Limits
from .plan import Mutant, Plan, calls_of, with_task


def more_calls_than_allowed(plan: Plan) -> Mutant | None:
    calls = len(calls_of(plan))
    return Mutant(plan.tasks, Limits(Budget(tool_calls=calls - 1))) if calls else None


def allowance_above_the_budget(plan: Plan) -> Mutant | None:
    own = {task.id for task in plan.crew.tasks}
    tasks = [t for t in plan.tasks if t.id not in own]
    if not tasks:
        return None
    allowance = plan.chance.choice(
        [Allowance(tokens=2000), Allowance(money=3.5), Allowance(seconds=90), Allowance(tool_calls=999)]
    )
    broken = with_task(plan, plan.chance.choice(tasks), allowance=allowance)
    return Mutant(broken.tasks, Limits(Budget(tokens=1000, money=1.0, seconds=60, tool_calls=500)))


WAYS = (more_calls_than_allowed, allowance_above_the_budget)
