"""Proved steps as tasks for a crew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...agents.crew import Crew
from ...runtime.graph import Task
from ...tools.toolset import Toolset
from ..plan import ANSWER
from .order import Ordered
from .problem import Step
from .world import Setting


def tasks_of(
    plan: Ordered,
    crew: Crew,
    setting: Setting,
    *,
    taken: Collection[str] = (),
    known: Mapping[int, str] | None = None,
) -> list[Task]:
    """The steps of a plan as tasks, each after those it waits for.

    `taken` are ids that are in use, `known` are the steps (by place) that are tasks already, by their ids: they are left
    out here, and those that wait for them name them.
    """
    ids = dict(known or {})
    number = 0
    for place in range(len(plan.steps)):
        while place not in ids:
            number += 1
            if f"t{number}" not in taken:
                ids[place] = f"t{number}"
    return [
        _task(step, ids[place], [ids[one] for one in sorted(plan.needs[place])], crew, setting)
        for place, step in enumerate(plan.steps)
        if known is None or place not in known
    ]


def answer(request: str, tasks: Sequence[Task], crew: Crew, task_id: str = ANSWER) -> Task:
    """The task that answers, after all that nothing else waits for."""
    needed = {need for task in tasks for need in task.needs}
    return Task(
        id=task_id,
        description=f"Answer the request: {request[:200]}",
        agent=crew.agents[-1].role,
        depends_on=tuple(task.id for task in tasks if task.id not in needed),
    )


def _task(step: Step, task_id: str, needs: Sequence[str], crew: Crew, setting: Setting) -> Task:
    tool = setting.tools[step.name]
    operator = setting.problem.operator(step.name)
    assert operator is not None, "a proved step is one of the problem's"
    args = dict(zip(operator.parameters, step.args, strict=True))
    may = list(crew.holders(tool))
    own = [agent for agent in may if tool.name in Toolset(agent.tools)] or may
    return Task(
        id=task_id,
        description=f"{tool.name.replace('_', ' ')}: {', '.join(step.args)}".rstrip(": "),
        agent=own[0].role,
        tool=tool.name,
        args={**args},
        depends_on=tuple(needs),
        expected_seconds=step.seconds,
    )
