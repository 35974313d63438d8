"""Ways of breaking tools and agents that are not there, or may not."""

from __future__ import annotations

from ..judge import Limits
from .plan import Mutant, Plan, calls_of, some, tool_of, with_task


def unknown_tool(plan: Plan) -> Mutant | None:
    calls = calls_of(plan)
    task = plan.chance.choice(calls) if calls else None
    return with_task(plan, task, tool=plan.chance.choice([f"{task.tool}s", "search_web"])) if task else None


def another_tool(plan: Plan) -> Mutant | None:
    calls = calls_of(plan)
    task = plan.chance.choice(calls) if calls else None
    return with_task(plan, task, tool=plan.chance.choice(list(plan.crew.toolset))) if task else None


def unknown_agent(plan: Plan) -> Mutant | None:
    return with_task(plan, some(plan), agent=plan.chance.choice(["butler", "Agent1", "", None]))


def agent_that_may_not(plan: Plan) -> Mutant | None:
    calls = calls_of(plan)
    task = plan.chance.choice(calls) if calls else None
    if task is None:
        return None
    may = {agent.role for agent in plan.crew.holders(tool_of(plan, task))}
    others = [agent.role for agent in plan.crew.agents if agent.role not in may]
    return with_task(plan, task, agent=plan.chance.choice(others)) if others else None


def arguments_without_a_tool(plan: Plan) -> Mutant | None:
    calls = [t for t in calls_of(plan) if t.args]
    return with_task(plan, plan.chance.choice(calls), tool=None) if calls else None


def forbidden_tool(plan: Plan) -> Mutant | None:
    names = [t.tool for t in calls_of(plan) if t.tool is not None]
    if not names:
        return None
    return Mutant(plan.tasks, Limits(forbidden=frozenset({plan.chance.choice(names)})))


WAYS = (
    unknown_tool,
    another_tool,
    unknown_agent,
    agent_that_may_not,
    arguments_without_a_tool,
    forbidden_tool,
)
