"""Without: what is left of a plan when some of its tasks are given up, and what then is missing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...agents.crew import Crew
from ...runtime.graph import ITEM, Reference, Task, TaskGraph
from ..checking.checker import check
from ..plan import ANSWER, wrong
from .wiring import fresh, instead


@dataclass(frozen=True, slots=True)
class Left:
    """The tasks that go on, and those that cannot, each with the one that it would have needed."""

    tasks: tuple[Task, ...]
    dropped: Mapping[str, str]


class _Needed(Exception):
    """The task cannot do without what is gone."""


def without(
    tasks: Sequence[Task],
    gone: Collection[str],
    crew: Crew,
    *,
    request: str = "",
    number: int = 1,
    taken: Collection[str] = (),
) -> Left | None:
    """The plan without the tasks that are `gone`; None where nothing is left to answer with.

    Who only waited for one of them goes on with what that one had waited for, so that what is known gets into the answer.
    Who compares or adds up goes on with the others, if they are enough. Who refers to it otherwise cannot be done, nor can
    anything that has an effect and was to come after it, nor a text of which nothing is left to write. Where the last
    task is gone, one that answers from what there is takes its place.
    """
    graph = TaskGraph(tasks)
    known = {task.id: task for task in tasks}
    heirs: dict[str, tuple[str, ...]] = {}
    dropped: dict[str, str] = {}
    kept: dict[str, Task] = {}
    for task_id in graph.order:
        task = known[task_id]
        missed = [need for need in task.needs if need in heirs]
        turned = None if task_id in gone else _turned(task, heirs, crew, kept) if missed else task
        if turned is not None:
            kept[task_id] = turned
            continue
        heirs[task_id] = tuple(dict.fromkeys(end for need in task.needs for end in heirs.get(need, (need,))))
        if task_id not in gone:
            dropped[task_id] = missed[0]
    last = tasks[-1]
    found = [kept[task.id] for task in tasks if task.id in kept]
    if last.id not in kept:
        ends = heirs[last.id]
        if not ends:
            return None
        name = fresh(last.id if last.tool is None else ANSWER, number, {*taken, *known})
        found.append(
            Task(
                id=name,
                description=last.description
                if last.tool is None
                else f"Answer the request: {request[:200]}".rstrip(": "),
                agent=last.agent if last.tool is None else crew.agents[-1].role,
                depends_on=ends,
            )
        )
    found = _used(found)
    return None if wrong(check(found, crew)) else Left(tuple(found), dropped)


def _turned(
    task: Task, heirs: Mapping[str, tuple[str, ...]], crew: Crew, kept: Mapping[str, Task]
) -> Task | None:
    """The task without what is gone; None where it cannot do without."""
    tool = crew.toolset[task.tool] if task.tool is not None and task.tool in crew.toolset else None
    if tool is not None and tool.effect != "read_only":
        return None

    def bare(value: Any, *, fewer: bool) -> Any:
        """The value without references to what is gone. Raises `_Needed` where they cannot be left out."""
        if isinstance(value, Mapping):
            return {name: bare(part, fewer=fewer) for name, part in value.items()}
        if isinstance(value, list | tuple):
            rest = [part for part in value if not (fewer and _is_gone(part, heirs, task))]
            return [bare(part, fewer=fewer) for part in rest]
        if _is_gone(value, heirs, task):
            raise _Needed
        return value

    try:
        each = bare(task.each, fewer=True)
        if task.each is not None and not each:
            return None
        args = bare(task.args, fewer=tool is not None and tool.combines)
        if task.when is not None:
            bare([task.when.value, task.when.to], fewer=False)
    except _Needed:
        return None
    depends = task.depends_on
    for need in task.depends_on:
        if need in heirs:
            depends = instead(task.model_copy(update={"depends_on": depends}), need, heirs[need])
    turned = task.model_copy(update={"each": each, "args": args, "depends_on": depends})
    if task.needs and not turned.needs and task.tool is None:
        return None
    if tool is not None and args != task.args and not _enough(turned, crew, kept):
        return None
    return turned


def _is_gone(value: object, heirs: Mapping[str, Any], task: Task) -> bool:
    ref = Reference.parse(value)
    return ref is not None and ref.task in heirs and not (task.each is not None and ref.task == ITEM)


def _enough(task: Task, crew: Crew, kept: Mapping[str, Task]) -> bool:
    """Whether its arguments are still what its tool takes."""
    before = [kept[need] for need in _all_needs(task, kept)]
    return not [finding for finding in wrong(check((*before, task), crew)) if finding.task == task.id]


def _all_needs(task: Task, kept: Mapping[str, Task]) -> list[str]:
    found: list[str] = []
    pending = list(task.needs)
    while pending:
        need = pending.pop()
        if need in kept and need not in found:
            found.append(need)
            pending.extend(kept[need].needs)
    return [task_id for task_id in kept if task_id in found]


def _used(tasks: list[Task]) -> list[Task]:
    """The tasks, where the last one waits also for those whose results nobody uses any more."""
    *others, last = tasks
    needed = {need for task in tasks for need in task.needs}
    loose = tuple(task.id for task in others if task.id not in needed)
    if not loose:
        return tasks
    return [*others, last.model_copy(update={"depends_on": (*last.depends_on, *loose)})]
