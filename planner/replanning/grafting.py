"""Grafting: a plan that a strategy made, in the place of one failed task or of all that is not done. Pure.

Whatever the strategy wrote, what is done is kept and read instead of done again, a call that failed is not made again,
and nothing that has an effect is called that the plan before did not call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...runtime.graph import Reference, Task
from ..asked import call_key
from ..checking.checker import check
from ..plan import wrong
from .failure import undone
from .state import State
from .wiring import Change, dependents, fresh, instead, reads


def in_place_of(state: State, task: Task, made: Sequence[Task]) -> Change | None:
    """What a strategy `made` of a failed task as the smaller ones that it consists of; None where they will not do.

    The last of them, where no tool is bound to it, only gathers the others, and is needed only where the failed task did
    the same. A task that others read must come down to one result.
    """
    turned = _turned(state, made, may_keep=False)
    if turned is None:
        return None
    tasks, ids = turned
    own = {one.id for one in tasks}
    last = ids[made[-1].id]
    if made[-1].tool is None and task.tool is not None and len(tasks) > 1:
        tasks = [one for one in tasks if one.id != last]
        ends = tuple(dict.fromkeys(ids[need] for need in made[-1].needs))
    else:
        ends = (last,)
    if (
        own.isdisjoint(ends)
        or not any(one.tool for one in tasks)
        or {call_key(one) for one in tasks} & state.failed_calls
    ):
        return None
    tasks = [
        one.model_copy(update={"depends_on": tuple(dict.fromkeys((*task.needs, *one.depends_on)))})
        for one in tasks
    ]
    read = any(reads(other, task.id) for other in state.tasks)
    if read and len(ends) != 1:
        return None
    note = f"{task.id} is broken down into {len(tasks)} smaller task{'s' if len(tasks) != 1 else ''}."
    return Change(tuple(tasks), ends, f"${ends[0]}" if len(ends) == 1 else None, note)


def in_place_of_all(state: State, made: Sequence[Task]) -> State | None:
    """The plan that a strategy `made` of the whole request, with what is done kept in it; None where it will not do."""
    turned = _turned(state, made, may_keep=True)
    if turned is None:
        return None
    tasks, _ = turned
    affected = dependents(state.tasks, state.failures) | state.failures.keys()
    kept = {task.id for task in tasks}
    if kept & affected or all(task.id in state.done for task in tasks):
        return None
    if wrong(check(tasks, state.crew)):
        return None
    note = "The rest is planned anew."
    return replace(state, tasks=tuple(tasks), failures={}, notes=(*state.notes, note))


def _turned(
    state: State, made: Sequence[Task], *, may_keep: bool
) -> tuple[list[Task], dict[str, str]] | None:
    """The tasks under ids of their own, those that are done replaced by what did them; and which id became which."""
    affected = dependents(state.tasks, state.failures) | state.failures.keys()
    known = {task.id: task for task in state.tasks}
    calls = {call_key(task): task for task in state.tasks if task.id in state.done}
    if may_keep:
        calls = {call_key(task): task for task in state.tasks if task.id not in affected} | calls
    unsafe = {
        task.tool
        for task in state.tasks
        if task.id in state.failures and not undone(state.failures[task.id], state.tool(task))
    }
    taken, ids, found = state.taken, dict[str, str](), dict[str, Task]()
    for one in made:
        task = _referring(one, ids)
        there = known.get(task.id)
        if there is not None and there.id not in affected and there == task:
            same: Task | None = there
        else:
            same = calls.get(call_key(task)) if task.tool is not None else None
        if same is not None:
            ids[one.id] = same.id
            if may_keep:
                for kept in _with_needs(same, known):
                    found.setdefault(kept.id, kept)
            continue
        tool = state.tool(task)
        if (
            call_key(task) in state.failed_calls
            or task.tool in unsafe
            or (tool is not None and tool.effect != "read_only")
        ):
            return None
        name = fresh(task.id, state.number, taken)
        taken.add(name)
        ids[one.id] = name
        found[name] = task.model_copy(update={"id": name})
    return list(found.values()), ids


def _with_needs(task: Task, known: dict[str, Task]) -> list[Task]:
    found: list[Task] = []
    for need in task.needs:
        found += _with_needs(known[need], known)
    return [*found, task]


def _referring(task: Task, ids: dict[str, str]) -> Task:
    """The task, referring to earlier ones by their new ids."""

    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turn(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [turn(part) for part in value]
        ref = Reference.parse(value)
        return ".".join((f"${ids[ref.task]}", *ref.path)) if ref is not None and ref.task in ids else value

    depends = task.depends_on
    for old, new in ids.items():
        if old in depends and old != new:
            depends = instead(task.model_copy(update={"depends_on": depends}), old, (new,))
    when = task.when
    if when is not None:
        when = when.model_copy(update={"value": turn(when.value), "to": turn(when.to)})
    return task.model_copy(
        update={"args": turn(task.args), "each": turn(task.each), "when": when, "depends_on": depends}
    )
