"""Estimate: what a plan is thought to take, added up from its tasks, and the longest chain among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...agents.crew import Crew
from ...runtime.graph import Reference, Task, TaskGraph
from ..plan import Estimate, TaskEstimate
from .measures import NOTHING_KNOWN, Measures, rounded, tool_of

STEP = "measures"
"""Name of the journalled step by which a run knows what past runs took."""

GUESSED_ENTRIES = 3
"""So many entries a list has that a task is done for each of, where only the run will show it."""


def estimate(tasks: Sequence[Task], crew: Crew, measures: Measures = NOTHING_KNOWN) -> Estimate:
    """What these tasks are thought to take.

    A task that is done for each of a list counts in work as often as the list is long, and in the longest chain as often
    as the limits of its tool and agent make its entries wait for each other: once, where there is none. A condition
    is taken to hold. The time for which people are waited for is not counted.

    Raises:
        InvalidGraph: the tasks are no graph; the checker says so first.
    """
    once = {task.id: measures.of(task, crew) for task in tasks}
    return added_up(tasks, crew, {task.id: _of_all(once[task.id], entries(task, tasks)) for task in tasks})


def added_up(tasks: Sequence[Task], crew: Crew, taken: Mapping[str, TaskEstimate]) -> Estimate:
    """The whole of what each of these tasks is thought to take. Raises `InvalidGraph`."""
    graph = TaskGraph(tasks)
    ends: dict[str, float] = {}
    before: dict[str, str | None] = {}
    work = 0.0
    for task_id in graph.order:
        task = graph[task_id]
        count = entries(task, tasks)
        seconds = taken[task_id].seconds
        work += seconds * count
        last = max(graph.needs(task_id), key=ends.__getitem__, default=None)
        before[task_id] = last
        begun = 0.0 if last is None else ends[last]
        ends[task_id] = begun + seconds * _rounds(task, count, crew)
    path: list[str] = []
    at = max(ends, key=ends.__getitem__, default=None)
    while at is not None:
        path.append(at)
        at = before[at]
    mine = [taken[task.id] for task in tasks]
    return Estimate(
        seconds=rounded(work),
        critical_seconds=rounded(max(ends.values(), default=0.0)),
        tokens=sum(one.tokens for one in mine),
        money=rounded(sum(one.money for one in mine)),
        tool_calls=sum(one.tool_calls for one in mine),
        path=tuple(reversed(path)),
        tasks={task.id: taken[task.id] for task in tasks},
    )


def with_seconds(tasks: Sequence[Task], estimate: Estimate) -> tuple[Task, ...]:
    """The tasks, each with the seconds that it is thought to take where its author has said none.

    They decide which of two ready tasks goes first, and what engines are told of a run; they are no part of a task's key.
    """
    return tuple(
        task.model_copy(update={"expected_seconds": estimate.tasks[task.id].seconds})
        if task.expected_seconds is None and task.id in estimate.tasks
        else task
        for task in tasks
    )


def entries(task: Task, tasks: Sequence[Task]) -> int:
    """How often a task is done: once, or once for each of its list, as far as that is known before it is run."""
    known = listed_entries(task, tasks)
    return GUESSED_ENTRIES if known is None else known


def listed_entries(task: Task, tasks: Sequence[Task]) -> int | None:
    """How often a task is done, where the plan shows it; None where only the run will."""
    for _ in range(len(tasks) + 1):  # a list of results is as long as the list that they are the results of
        if task.each is None:
            return 1
        if isinstance(task.each, list):
            return len(task.each)
        ref = Reference.parse(task.each)
        giver = next((t for t in tasks if ref is not None and t.id == ref.task and not ref.path), None)
        if giver is None or giver.each is None:
            return None
        task = giver
    return None


def _of_all(once: TaskEstimate, count: int) -> TaskEstimate:
    """What a task takes that is done so often."""
    if count == 1:
        return once
    return once.model_copy(
        update={
            "tokens": once.tokens * count,
            "money": once.money * count,
            "tool_calls": once.tool_calls * count,
        }
    )


def _rounds(task: Task, count: int, crew: Crew) -> int:
    """How many entries of a task come one after the other."""
    if task.each is None or not count:
        return count
    tool = tool_of(task, crew)
    limits = [crew.agent(task.agent).limit, tool.limit if tool is not None else None]
    return math.ceil(count / min((limit for limit in limits if limit is not None), default=count))
