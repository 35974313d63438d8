"""Growth: what must hold of tasks that are laid into a graph while it is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidGraph
from ..graph import Task, check_alone, check_entries, circle, ordered
from ..journalling.row import without_half_characters

if TYPE_CHECKING:
    from .schedule import Unit


class Growing(NamedTuple):
    """What is to be laid in: the tasks that are new, their ids in `order` and what they need, and for each task
    that shall wait, for which others."""

    new: list[Task]
    order: Sequence[str]
    needs: Mapping[str, tuple[str, ...]]
    waits: Mapping[str, tuple[str, ...]]


def checked(units: Mapping[str, Unit], tasks: Sequence[Task], then: Sequence[str]) -> Growing:
    """What adding these tasks comes to. Those that are there already, in the same words, are not new.

    Raises:
        InvalidGraph: an id is taken by another task, a dependency is not there, the tasks would wait for each other,
            or one in `then` has begun.
    """
    new: dict[str, Task] = {}
    for task in tasks:
        check_alone(task)
        there = _task(units, new, task.id)
        if there is None:
            new[task.id] = task
        elif not _alike(there, task):
            raise InvalidGraph(
                f"Task {task.id!r} is in the graph and says something else: give the new one its own id."
            )
    needs = {task_id: task.needs for task_id, task in new.items()}
    for task_id, wanted in needs.items():
        for need in wanted:
            if need not in new and (need not in units or units[need].index):
                raise InvalidGraph(f"Task {task_id!r} waits for {need!r}, which is not in the graph.")
        check_entries(new[task_id], lambda other: _task(units, new, other), chain(units, new))
    among = {task_id: [need for need in wanted if need in new] for task_id, wanted in needs.items()}
    waits = _waits(units, [task.id for task in tasks], then)
    if waits:
        _refuse_circle(units, new, waits)
    return Growing(list(new.values()), ordered(among), needs, waits)


def _task(units: Mapping[str, Unit], new: Mapping[str, Task], task_id: str) -> Task | None:
    return units[task_id].task if task_id in units else new.get(task_id)


def _waits(
    units: Mapping[str, Unit], added: Sequence[str], then: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for task_id in then:
        unit = units.get(task_id)
        if unit is None or unit.index:
            raise InvalidGraph(
                f"{task_id!r} is to wait for added tasks and is not in the graph: name tasks that are."
            )
        more = tuple(dict.fromkeys(other for other in added if other not in unit.needs))
        if more and unit.state in ("skipped", "passed_over"):
            continue  # it is not begun, and will not be
        if more and unit.state not in ("waiting", "ready"):
            raise InvalidGraph(
                f"{task_id!r} cannot wait for added tasks, for it has begun or is over: name tasks that are not begun."
            )
        if more:
            found[task_id] = more
    return found


def _refuse_circle(
    units: Mapping[str, Unit], new: Mapping[str, Task], waits: Mapping[str, tuple[str, ...]]
) -> None:
    """A task that shall wait must not be needed, however far off, by what it shall wait for."""
    for waiting, wanted in waits.items():
        came_from: dict[str, str] = dict.fromkeys(wanted, waiting)
        pending = list(wanted)
        while pending:
            here = pending.pop()
            if here == waiting:
                path = [here]
                while len(path) == 1 or path[-1] != waiting:
                    path.append(came_from[path[-1]])
                raise circle(path)
            for need in new[here].needs if here in new else units[here].needs + waits.get(here, ()):
                if need not in came_from:
                    came_from[need] = here
                    pending.append(need)


def _alike(one: Task, other: Task) -> bool:
    """Whether two tasks say the same. What a journal holds was JSON: half a character is a question mark there."""
    if one == other:
        return True
    said = [without_half_characters(task.model_dump(mode="json")) for task in (one, other)]
    return repr(said[0]) == repr(said[1])
