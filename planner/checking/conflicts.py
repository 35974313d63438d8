"""Conflicts: tasks that would use one thing side by side, one of them changing it, and putting them in an order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ...agents.crew import Crew
from ...runtime.errors import InvalidGraph
from ...runtime.graph import Task
from ...tools.planning import filled
from ...tools.tool import Tool
from ..plan import Finding
from .faults.arguments import parameters
from .faults.shape import order
from .kinds import Known, annotated
from .sources import Sources, Unknown

_OPEN = "\x00"
"""Stands in a thing's name where what stands there is not known before the task is carried out."""


class Uses(NamedTuple):
    """The names of the things that a task reads and writes, with gaps for what is not known yet."""

    reads: frozenset[str]
    writes: frozenset[str]


def ordered_conflicts(tasks: Sequence[Task], crew: Crew) -> tuple[tuple[Task, ...], list[Finding]]:
    """The tasks, with those that would write one thing, or write what another reads, one after the other.

    They go in the plan's own order, by `depends_on`; those that wait for each other already, in whichever order, stay as
    they are, so no circle comes of it. Entries of one task cannot be put in an order: that is a finding to be mended.
    """
    known = {task.id: task for task in tasks}
    sources = Sources(crew, known)
    found: list[Finding] = []
    uses: dict[int, Uses] = {}
    for place, task in enumerate(tasks):
        tool = crew.toolset[task.tool] if task.tool is not None and task.tool in crew.toolset else None
        if tool is None or not (tool.traits.reads or tool.traits.writes):
            continue
        each = list(_uses(task, tool, sources))
        uses[place] = Uses(
            frozenset(name for one in each for name in one.reads),
            frozenset(name for one in each for name in one.writes),
        )
        found += _side_by_side(task, tool, each)
    try:
        before = _before(known, tasks)
    except InvalidGraph:
        return tuple(tasks), found  # the checker says so
    more: dict[int, list[int]] = {}
    for gap in range(1, len(tasks)):
        for first in range(len(tasks) - gap):
            then = first + gap
            if first not in uses or then not in uses:
                continue
            thing = clash(uses[first], uses[then])
            if thing is None or before[then] >> first & 1 or before[first] >> then & 1:
                continue
            more.setdefault(then, []).append(first)
            gained = before[first] | 1 << first
            for place in range(len(tasks)):
                if place == then or before[place] >> then & 1:
                    before[place] |= gained
            found.append(_mended(tasks[first], tasks[then], thing))
    made = [
        task
        if place not in more
        else task.model_copy(
            update={"depends_on": (*task.depends_on, *(tasks[first].id for first in sorted(more[place])))}
        )
        for place, task in enumerate(tasks)
    ]
    return tuple(made), found


def clash(one: Uses, other: Uses) -> str | None:
    """What two tasks may not use side by side, in words; None where they may."""
    for mine, theirs in ((one.writes, other.writes), (one.writes, other.reads), (one.reads, other.writes)):
        for name in sorted(mine):
            for second in sorted(theirs):
                if _may_be_one(name, second):
                    return name if _OPEN not in name else second
    return None


def _uses(task: Task, tool: Tool, sources: Sources) -> Iterator[Uses]:
    """What each call of a task uses: one call, or one for each entry of its list."""
    if task.each is None:
        yield _of_call(task, tool, sources)
        return
    try:
        for item in sources.entries(task):
            yield _of_call(task, tool, sources.with_item(item))
    except Unknown:
        return  # the checker says so


def _of_call(task: Task, tool: Tool, sources: Sources) -> Uses:
    args: dict[str, Any] = {}
    for name, info in parameters(tool).items():
        if name not in task.args:
            if info.is_required():
                continue
            args[name] = _OPEN if info.default_factory else info.default
            continue
        try:
            value = sources.settled(task.args[name])
        except Unknown:
            value = Any
        args[name] = _read(value.value, annotated(info)) if isinstance(value, Known) else _OPEN
    return Uses(
        frozenset(_name(template, args) for template in tool.traits.reads),
        frozenset(_name(template, args) for template in tool.traits.writes),
    )


def _name(template: str, args: Mapping[str, Any]) -> str:
    return filled(template, args) or _OPEN


def _read(value: Any, kind: Any) -> Any:
    """A value as its parameter reads it, so that one thing has one name however it is written."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return value


def _may_be_one(one: str, other: str) -> bool:
    """Whether two names may be those of one thing: what is known of them, from either end, does not differ."""
    if _OPEN not in one and _OPEN not in other:
        return one == other
    if _OPEN in one and _OPEN not in other:
        return _may_be_one(other, one)
    front, back = other.split(_OPEN)[0], other.split(_OPEN)[-1]
    if _OPEN not in one:
        return one.startswith(front) and one.endswith(back) and len(one) >= len(front) + len(back)
    mine, last = one.split(_OPEN)[0], one.split(_OPEN)[-1]
    return (mine.startswith(front) or front.startswith(mine)) and (last.endswith(back) or back.endswith(last))


def _before(known: Mapping[str, Task], tasks: Sequence[Task]) -> list[int]:
    """For each task, as bits, the places of all that come before it. Raises `InvalidGraph`."""
    places = {task.id: place for place, task in enumerate(tasks)}
    before = [0] * len(tasks)
    for task_id in order(known):
        for need in known[task_id].needs:
            if need in places:
                before[places[task_id]] |= before[places[need]] | 1 << places[need]
    return before


def _side_by_side(task: Task, tool: Tool, each: Sequence[Uses]) -> Iterator[Finding]:
    """The entries of one task are carried out side by side."""
    if task.each is None or tool.limit == 1:
        return
    mend = f"write one task for each entry, or give {tool.name} the limit 1"
    if len(each) > 1:
        for place, one in enumerate(each):
            for other in each[place + 1 :]:
                if (thing := clash(one, other)) is not None and _OPEN not in thing:
                    yield Finding(
                        task=task.id,
                        problem=f"its entries use {thing} side by side, and change it",
                        mend=mend,
                    )
                    return
        return
    for one in each:
        for name in sorted(one.writes):
            if _OPEN not in name:
                yield Finding(task=task.id, problem=f"its entries write {name} side by side", mend=mend)
                return
        if one.writes:
            yield Finding(
                task=task.id,
                problem=f"its entries may write one thing side by side ({_shown(min(one.writes))})",
                mend=mend,
                severity="note",
            )
            return


def _mended(first: Task, then: Task, thing: str) -> Finding:
    return Finding(
        task=then.id,
        problem=f"it may use {_shown(thing)} at the same time as {first.id}, and one of them changes it",
        mend=f"it now waits for {first.id}",
        severity="mended",
    )


def _shown(name: str) -> str:
    return name.replace(_OPEN, "…")
