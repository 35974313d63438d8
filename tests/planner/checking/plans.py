"""Plans in few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crewgraph import Crew, Task
from crewgraph.runtime.policy import Condition

KEEPER = ("stock", "pack", "weigh", "book", "count", "label", "pair")


def call(
    task_id: str, tool: str, /, after: Sequence[str] = (), more: dict[str, Any] | None = None, **args: Any
) -> Task:
    """A bound call by whoever may make it; `more` are other fields of the task."""
    agent = "keeper" if tool in KEEPER else "host" if tool in ("compare", "total", "ratio") else "clerk"
    return Task(
        id=task_id,
        description="-",
        agent=agent,
        tool=tool,
        args=args,
        depends_on=tuple(after),
        **(more or {}),
    )


def words(task_id: str, *after: str, agent: str = "host", **more: Any) -> Task:
    """A task that an agent writes."""
    return Task(id=task_id, description="-", agent=agent, depends_on=after, **more)


def answered(*tasks: Task) -> list[Task]:
    """These tasks, and one that answers from all their ends."""
    used = {need for task in tasks for need in task.needs}
    return [*tasks, words("end", *(task.id for task in tasks if task.id not in used))]


def when(value: Any, test: str, to: Any = None) -> Condition:
    return Condition(value=value, test=test, to=to)  # type: ignore[arg-type]  # one of its tests, or the model says so


def said(tasks: Sequence[Task], crew: Crew, **more: Any) -> list[str]:
    """What the checker says."""
    from crewgraph.planner.checking.checker import check

    return [str(finding) for finding in check(tasks, crew, **more)]
