"""A plan to be broken, and what breaking it takes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from crewgraph import Crew, Task, Tool

from ..judge import NO_LIMITS, Limits


class Mutant(NamedTuple):
    """A broken plan, and the limits it breaks where it is that."""

    tasks: tuple[Task, ...]
    limits: Limits = NO_LIMITS


class Plan(NamedTuple):
    """What is broken."""

    tasks: tuple[Task, ...]
    crew: Crew
    chance: random.Random


Way = Callable[[Plan], Mutant | None]


def calls_of(plan: Plan) -> list[Task]:
    return [task for task in plan.tasks if task.tool is not None]


def tool_of(plan: Plan, task: Task) -> Tool:
    return plan.crew.toolset[task.tool or ""]


def with_task(plan: Plan, task: Task, **update: Any) -> Mutant:
    return Mutant(tuple(t.model_copy(update=update) if t is task else t for t in plan.tasks))


def argument(plan: Plan, wanted: Callable[[Task, str, Any], bool]) -> tuple[Task, str] | None:
    found = [(t, name) for t in calls_of(plan) for name, value in t.args.items() if wanted(t, name, value)]
    return plan.chance.choice(found) if found else None


def value_at(at: tuple[Task, str]) -> Any:
    """What an argument is."""
    return at[0].args[at[1]]


def set_to(plan: Plan, at: tuple[Task, str] | None, value: Any) -> Mutant | None:
    return None if at is None else with_task(plan, at[0], args={**at[0].args, at[1]: value})


def any_argument(plan: Plan) -> tuple[Task, str] | None:
    return argument(plan, lambda *_: True)


def before(plan: Plan, task: Task) -> list[Task]:
    """Tasks that can be referred to from one without a circle."""
    after, grown = {task.id}, True
    while grown:
        more = {t.id for t in plan.tasks if set(t.needs) & after} - after
        after, grown = after | more, bool(more)
    return [t for t in plan.tasks if t.id not in after]


def some(plan: Plan) -> Task:
    return plan.chance.choice(plan.tasks)
