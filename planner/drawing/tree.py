"""The text tree: each task under the one that it waits for last, with what else it waits for said beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...runtime.graph import Task, TaskGraph
from ..plan import Estimate
from .labels import call, cost, marks, waits_for, what, who, wide

CRITICAL = "●"
"""Before a task of the longest chain."""

OTHER = "○"
"""Before a task that has time to spare."""

_LEAST = 30
_JOINED = "\u00a0"


class _Place(NamedTuple):
    """Where a task stands: what is before its first line, what before its others, and whether its parent is shown."""

    task: Task
    lead: str = ""
    below: str = ""
    hangs: bool = False


def tree(tasks: Sequence[Task], estimate: Estimate | None = None, *, width: int = 100) -> list[str]:
    """A plan as lines of text, none wider than `width` columns (at least 30). Every task begins one line, with its id.

    A task stands below the one of those it waits for that is done last; where there are several, all are named. Below
    half of the width it goes no deeper: there they are named as well.

    Raises:
        InvalidGraph: the tasks are no graph.
    """
    width = max(_LEAST, width)
    children = _children(tasks, estimate)
    lines: list[str] = []
    left = [_Place(task) for task in reversed(children[None])]
    while left:
        place = left.pop()
        mine = children.get(place.task.id, [])
        deep = wide(place.below) > width // 2
        lines += _lines(place, tasks, estimate, width, trunk=bool(mine) and not deep)
        for number, child in reversed(list(enumerate(mine, 1))):
            if deep:
                left.append(_Place(child, place.below, place.below))
            else:
                end = number == len(mine)
                lead, below = ("└─", "  ") if end else ("├─", "│ ")
                left.append(_Place(child, place.below + lead, place.below + below, hangs=True))
    return lines


def _children(tasks: Sequence[Task], estimate: Estimate | None) -> dict[str | None, list[Task]]:
    """The tasks that stand below each; below None those that wait for none."""
    graph = TaskGraph(tasks)
    chain = {task_id: place for place, task_id in enumerate(estimate.path)} if estimate is not None else {}
    ends: dict[str, tuple[float, int]] = {}
    above: dict[str, str | None] = {}
    for task_id in graph.order:
        taken = estimate.tasks.get(task_id) if estimate is not None else None
        last = max(graph.needs(task_id), key=ends.__getitem__, default=None)
        above[task_id] = last
        begun = ends[last][0] if last is not None else 0.0
        ends[task_id] = (begun + (taken.seconds if taken is not None else 1.0), chain.get(task_id, -1))
    children: dict[str | None, list[Task]] = {None: []}
    for task in tasks:
        children.setdefault(above[task.id], []).append(task)
    return children


def _lines(
    place: _Place, tasks: Sequence[Task], estimate: Estimate | None, width: int, *, trunk: bool
) -> Iterator[str]:
    task = place.task
    mark = CRITICAL if estimate is None or task.id in estimate.path else OTHER
    said = ": ".join(part for part in (who(task), what(task)) if part)
    taken = cost(estimate.tasks.get(task.id)).replace(" ", _JOINED) if estimate is not None else ""
    needs = waits_for(task, tasks)
    more = [call(task)] if task.tool else []
    more += [f"after {', '.join(needs)}"] if needs and (len(needs) > 1 or not place.hangs) else []
    more += marks(task)
    below = place.below + ("│ " if trunk else "  ")
    head = f"{mark} {task.id} {said}" + (f"  [{taken}]" if taken else "")
    first = True
    for text in (head, " · ".join(more)):
        for line in _wrapped(text, width - wide(below)):
            yield (place.lead if first else below) + line.replace(_JOINED, " ")
            first = False


def _wrapped(text: str, width: int) -> Iterator[str]:
    """The text in lines of so many columns; words longer than that are broken."""
    line = ""
    for word in text.split(" "):
        if line and wide(line) + 1 + wide(word) <= width:
            line += f" {word}"
            continue
        if line:
            yield line
        while wide(word) > width:
            fits = _fitting(word, width)
            yield word[:fits]
            word = word[fits:]
        line = word
    if line:
        yield line


def _fitting(word: str, width: int) -> int:
    used = 0
    for place, sign in enumerate(word):
        used += wide(sign)
        if used > width:
            return max(1, place)
    return len(word)
