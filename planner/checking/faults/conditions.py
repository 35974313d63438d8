"""Conditions: whether what they compare can be compared, in a task's `when` and in what it `expects`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from ....runtime.errors import TaskFailed
from ....runtime.graph import Task
from ....runtime.policy import Condition
from ...plan import Finding
from ..kinds import Known, name_of, sort_of
from ..sources import Sources, Unknown

_ORDER = frozenset({"above", "at_least", "below", "at_most"})
_HELD_BY = frozenset({"list", "text", "object"})


def conditions(task: Task, sources: Sources) -> Iterator[Finding]:
    """What is wrong with a task's conditions: what they speak of is not there, or cannot be compared in this way."""
    if task.when is not None:
        for problem, mend in _wrong(task.when, sources):
            yield Finding(task=task.id, problem=f"its condition {problem}", mend=mend)
        yield from _fixed(task, task.when, sources)
    own = sources.only_result(task)
    for expected in task.expects:
        for problem, mend in _wrong(expected, own):
            yield Finding(task=task.id, problem=f"what it expects {problem}", mend=mend)


def _fixed(task: Task, when: Condition, sources: Sources) -> Iterator[Finding]:
    """A condition whose values are written out is decided already."""
    try:
        value, to = sources.settled(when.value), sources.settled(when.to)
        if isinstance(value, Known) and isinstance(to, Known) and not when.holds(value.value, to.value):
            yield Finding(
                task=task.id,
                problem=f"its condition ({when.said(value.value, to.value)}) never holds",
                mend="compare a result of another task, or leave the task out",
            )
    except (Unknown, TaskFailed):
        return


def _wrong(condition: Condition, sources: Sources) -> Iterator[tuple[str, str]]:
    try:
        value, to = sources.settled(condition.value), sources.settled(condition.to)
    except Unknown as error:
        yield f"cannot be told: {error.problem}", error.mend
        return
    if not _sensible(condition, value, to):
        said = f"{_said(condition.value, value)} {condition.test.replace('_', ' ')}"
        if condition.test not in ("empty", "not_empty"):
            said += f" {_said(condition.to, to)}"
        yield f"makes no sense ({said})", _MENDS.get(condition.test, "compare two values of one kind")


_MENDS = {
    **dict.fromkeys(_ORDER, "compare two numbers or two texts, such as a field of the result"),
    "contains": "look for a text in a text, a name in an object or a value in a list",
    "one_of": "give a list to choose from",
    "empty": "ask of a text, a list or an object; a number is never empty",
}


def _said(written: Any, kind: Any) -> str:
    return name_of(kind) if isinstance(kind, Known) else f"{written}, which is {name_of(kind)},"


def _sensible(condition: Condition, value: Any, to: Any) -> bool:
    """Whether the test can come out both ways for at least some values of these types."""
    if isinstance(value, Known) and isinstance(to, Known):
        try:
            condition.holds(value.value, to.value)
        except TaskFailed:
            return False
        return True
    left, right = sort_of(value), sort_of(to)
    match condition.test:
        case "empty":
            return not left or not left <= {"number", "flag"}
        case "not_empty":
            return True
        case "one_of":
            return not right or "list" in right
        case "contains":
            if not left:
                return True
            if "list" in left:
                return True
            return bool(left & _HELD_BY) and (not right or "text" in right)
        case "equals" | "differs":
            return not left or not right or bool(left & right)
        case _:
            return any(
                one == other and one in ("number", "text")
                for one, other in product(left or _ANY, right or _ANY)
            )


_ANY = frozenset({"number", "text", "flag", "list", "object", "nothing"})
