"""The plan checker: what must hold before a token is spent on a plan. It trusts no planner, ours included."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...agents.crew import Crew
from ...runtime.budget import Budget
from ...runtime.graph import Task
from ..plan import Estimate, Finding
from .faults.arguments import arguments
from .faults.conditions import conditions
from .faults.costs import allowances, costs
from .faults.doubling import doubled_calls
from .faults.passing import cases, passing
from .faults.shape import alone, circles, doubled, loose, order
from .kinds import fits, is_figure
from .sources import Sources
from .words import choose

__all__ = ["MAX_TASKS", "check", "check_next", "fits", "is_figure"]

MAX_TASKS = 100
"""A plan with more tasks is refused."""


def check(
    tasks: Sequence[Task],
    crew: Crew,
    *,
    budget: Budget | None = None,
    estimate: Estimate | None = None,
    forbidden: Collection[str] = (),
) -> list[Finding]:
    """What is wrong with a plan for a crew; empty where nothing is.

    Its tasks have ids of their own, wait for what is there and not for each other; agents exist and may use the tools they
    are given, none of which is `forbidden` (to the tenant); arguments are valid, and what they, `each` and conditions refer
    to exists and has the right type; every task can be begun and is used, and one answers; nothing that happens once is
    asked for twice; and what it is thought to take (`estimate`) fits the budget.
    """
    if not tasks:
        return [Finding(task="-", problem="the plan has no tasks", mend="add at least one")]
    if len(tasks) > MAX_TASKS:
        return [
            Finding(task="-", problem=f"the plan has {len(tasks)} tasks", mend=f"use at most {MAX_TASKS}")
        ]
    known = {task.id: task for task in tasks}
    broken = [*doubled(tasks), *(f for task in tasks for f in alone(task, known)), *circles(known)]
    sources = Sources(crew, known)
    found = [*broken, *(f for task in tasks for f in _task(task, sources, forbidden)), *loose(tasks)]
    if not broken:
        ways = cases(sources, order(known))
        found += passing(tasks, ways)
        found += doubled_calls(tasks, crew, ways)
    found += costs(tasks, budget, estimate, {task.id for task in crew.tasks})
    return list(dict.fromkeys(found))


def check_next(
    task: Task,
    before: Sequence[Task] | Mapping[str, Task],
    crew: Crew,
    *,
    budget: Budget | None = None,
    forbidden: Collection[str] = (),
) -> list[Finding]:
    """What is wrong with one further task of a plan that is still being written; it may refer to those `before` it only.

    What takes the whole plan to tell is left out: whether its result is used, whether somebody answers, what it all costs.
    With a mapping by id it takes no longer for a long plan than for a short one.
    """
    known = before if isinstance(before, Mapping) else {other.id: other for other in before}
    found: list[Finding] = []
    if len(known) >= MAX_TASKS:
        found.append(Finding(task="-", problem=f"the plan has over {MAX_TASKS} tasks", mend="stop here"))
    if task.id in known:
        found.append(
            Finding(task=task.id, problem=f"Two tasks are called {task.id!r}", mend="give each its own id")
        )
    found += alone(task, known)
    found += _task(task, Sources(crew, known), forbidden)
    found += allowances(task, budget)
    return list(dict.fromkeys(found))


def _task(task: Task, sources: Sources, forbidden: Collection[str]) -> list[Finding]:
    crew = sources.crew
    found: list[Finding] = []

    def wrong(problem: str, mend: str) -> None:
        found.append(Finding(task=task.id, problem=problem, mend=mend))

    roles = [agent.role for agent in crew.everyone]
    if task.agent not in roles:
        wrong(f"nobody has the role {task.agent!r}", choose(task.agent, roles))
    found += conditions(task, sources)
    if task.tool is None:
        if task.args:
            wrong("it has arguments and no tool", "name the tool, or drop the arguments")
        if task.each is not None and all(task.id != own.id for own in crew.tasks):
            wrong(
                "it is done for each of a list and has no tool, so no entry would reach the agent",
                "name a tool, or let it work on the whole list",
            )
        return found
    if task.tool not in crew.toolset:
        wrong(f"there is no tool {task.tool!r}", choose(task.tool, _allowed(crew, forbidden)))
        return found
    if task.tool in forbidden:
        mend = choose("", _allowed(crew, forbidden))
        wrong(f"{task.tool} may not be used for this tenant", mend)
    tool = crew.toolset[task.tool]
    if task.agent in roles and task.tool not in crew.tools_of(crew.agent(task.agent)):
        holders = ", ".join(agent.role for agent in crew.holders(tool)) or "nobody"
        wrong(f"{task.agent} may not use {task.tool}", f"give it to {holders}")
    return found + arguments(task, tool, sources)


def _allowed(crew: Crew, forbidden: Collection[str]) -> list[str]:
    return [name for name in crew.toolset if name not in forbidden]
