"""Shape: ids, what waits for what, and what hangs loose, looked at before what the tasks do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ....runtime.errors import InvalidGraph
from ....runtime.graph import Task, check_alone, check_entries, ordered
from ...plan import Finding
from ..sources import missing


def alone(task: Task, known: Mapping[str, Task]) -> Iterator[Finding]:
    """What is wrong with a task's id, with what it waits for, and with the list it is done for. `known` are all tasks."""
    try:
        check_alone(task)
        check_entries(task, known.get, known)
    except InvalidGraph as error:
        problem, _, mend = str(error).rstrip(".").rpartition(": ")
        yield Finding(task=task.id or "-", problem=problem, mend=mend)
    for problem, mend in missing(task, known):
        yield Finding(task=task.id, problem=problem, mend=mend)


def doubled(tasks: Sequence[Task]) -> Iterator[Finding]:
    """Ids that several tasks have."""
    for task_id, number in Counter(task.id for task in tasks).items():
        if number > 1 and task_id:
            how = "Two" if number == 2 else str(number)
            yield Finding(
                task=task_id, problem=f"{how} tasks are called {task_id!r}", mend="give each its own id"
            )


def circles(known: Mapping[str, Task]) -> Iterator[Finding]:
    """Tasks that wait for each other: one finding, for the first circle there is."""
    try:
        order(known)
    except InvalidGraph as error:
        said = str(error)
        path = said[said.index("(") + 1 : said.index(")")].split(" → ")
        first, then = (path[0], path[1]) if len(path) > 1 else (path[0], path[0])
        mend = (
            f"let {first} not refer to itself"
            if first == then
            else f"let {first} not need {then}, or {then} not what leads back to {first}"
        )
        yield Finding(
            task=first,
            problem=f"the tasks wait for each other in a circle ({' → '.join(path)})",
            mend=mend,
        )


def order(known: Mapping[str, Task]) -> tuple[str, ...]:
    """The tasks' ids, each after those it needs; needs that are not there are left out. Raises `InvalidGraph`."""
    return ordered({task_id: [n for n in task.needs if n in known] for task_id, task in known.items()})


def loose(tasks: Sequence[Task]) -> Iterator[Finding]:
    """Tasks whose results nobody reads or waits for, though they are not the last."""
    last = tasks[-1].id
    used = {need for task in tasks for need in task.needs}
    for task in tasks:
        if task.id not in used and task.id != last:
            yield Finding(
                task=task.id,
                problem="nothing uses its result",
                mend=f"let {last} depend on it, or drop it",
            )
    if last in used:
        user = next(task.id for task in tasks if last in task.needs)
        yield Finding(
            task=last,
            problem=f"it stands last and gives the answer, and {user} waits for it",
            mend="put the task that answers last",
        )
