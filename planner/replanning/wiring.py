"""Wiring: tasks put in the place of another one, and those that waited for it turned to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from ...runtime.graph import ITEM, Reference, Task

_ROUND = re.compile(r"-r\d+(?:-\d+)?$")


@dataclass(frozen=True, slots=True)
class Change:
    """Tasks in the place of a failed one.

    Those that waited for it wait for `ends`. A reference to its whole result becomes `value`: a reference to one of them,
    or a list; None where nothing can stand there. `note` says for people what was done.
    """

    tasks: tuple[Task, ...]
    ends: tuple[str, ...]
    value: JsonValue = None
    note: str = ""


def put(tasks: Sequence[Task], task_id: str, change: Change) -> tuple[Task, ...] | None:
    """The tasks with this change in the place of that task; None where another one reads what will not be there."""
    found: list[Task] = []
    for task in tasks:
        if task.id == task_id:
            found += change.tasks
        elif task_id not in task.needs:
            found.append(task)
        else:
            turned = _turned(task, task_id, change)
            if turned is None:
                return None
            found.append(turned)
    return tuple(found)


def fresh(task_id: str, changes: int, taken: Collection[str]) -> str:
    """An id for what stands in the place of this task from the plan's n-th change on; it can be referred to."""
    head = stem(task_id)
    name = f"{head}-r{changes}"
    number = 2
    while name in taken:
        name = f"{head}-r{changes}-{number}"
        number += 1
    return name


def stem(task_id: str) -> str:
    """The id of the task in whose place, and in the place of whose successors, this one stands."""
    return _ROUND.sub("", task_id.replace(".", "-")) or "task"


def dependents(tasks: Iterable[Task], ids: Iterable[str]) -> set[str]:
    """All tasks that need one of these, however far off, and not these themselves."""
    given = list(tasks)
    found = set(ids)
    roots = set(found)
    grew = True
    while grew:
        more = {task.id for task in given if task.id not in found and not found.isdisjoint(task.needs)}
        grew = bool(more)
        found |= more
    return found - roots


def reads(task: Task, other: str) -> bool:
    """Whether a task refers to another one's result, and does not only wait for it."""
    return other in task.refers_to


def literal(value: Any) -> Any:
    """A JSON value as it has to stand in arguments, where a text that begins with a dollar is a reference."""
    if isinstance(value, Mapping):
        return {name: literal(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [literal(part) for part in value]
    return f"${value}" if isinstance(value, str) and value.startswith("$") else value


def instead(task: Task, old: str, new: Iterable[str]) -> tuple[str, ...]:
    """What a task depends on, with others in the place of that one."""
    found: list[str] = []
    for need in task.depends_on:
        found += list(new) if need == old else [need]
    return tuple(dict.fromkeys(found))


class _Unreadable(Exception):
    """A reference has nothing to point to."""


def _turned(task: Task, old: str, change: Change) -> Task | None:
    def turn(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: turn(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [turn(part) for part in value]
        ref = Reference.parse(value)
        if ref is None or ref.task != old or (task.each is not None and old == ITEM):
            return value
        if change.value is None:
            raise _Unreadable
        if not ref.path:
            return change.value
        one = Reference.parse(change.value)
        if one is None:
            raise _Unreadable
        return ".".join((f"${one.task}", *one.path, *ref.path))

    try:
        update: dict[str, Any] = {"args": turn(task.args), "each": turn(task.each)}
        if task.when is not None:
            when = task.when
            update["when"] = when.model_copy(update={"value": turn(when.value), "to": turn(when.to)})
    except _Unreadable:
        return None
    update["depends_on"] = instead(task, old, change.ends)
    turned = task.model_copy(update=update)
    unseen = [end for end in change.ends if end not in turned.needs]
    if unseen:
        turned = turned.model_copy(update={"depends_on": (*turned.depends_on, *unseen)})
    return turned
