"""Passing over: which tasks the conditions of a plan may pass over together.

Each value that conditions speak of is tried with values on either side of what it is compared with, so that of two
opposite branches exactly one is begun. Tests that cannot be tried so (``contains``) count as true or false for themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any

from pydantic import JsonValue

from ....runtime.errors import TaskFailed
from ....runtime.graph import Task, resolve
from ....runtime.policy import Condition
from ...plan import Finding
from ..kinds import Known, bare, possible
from ..sources import Sources, Unknown, refers
from ..words import short

_MOST = 512
"""More cases than these are not looked at: then nothing is said of passing over."""

Case = frozenset[str]
"""The tasks that are passed over together."""


def cases(sources: Sources, order: Sequence[str]) -> list[Case]:
    """Every set of tasks that may be passed over together; one empty set where there are no conditions, and none at all
    where there are too many to look at."""
    tasks = sources.tasks
    whens = {task_id: task.when for task_id, task in tasks.items() if task.when is not None}
    if not whens:
        return [frozenset()]
    choices: dict[str, list[Any]] = {}
    for key, when in {_key(when): when for when in whens.values()}.items():
        if not _fixed(when):
            alike = [other for other in whens.values() if _key(other) == key]
            choices[key] = _values(alike, _kind(when.value, sources))
    number = 1
    for values in choices.values():
        number *= len(values)
    if number > _MOST:
        return []
    found: dict[Case, None] = {}
    for combined in product(*choices.values()):
        case = _case(tasks, order, dict(zip(choices, combined, strict=True)))
        if case is not None:
            found[case] = None
    return list(found)


def passing(tasks: Sequence[Task], found: Sequence[Case]) -> Iterator[Finding]:
    """Tasks that can never be begun, and a last task that may be passed over while nobody else writes an answer."""
    if not found:
        return
    for task in tasks:
        constant = task.when is not None and _fixed(task.when)
        if not constant and all(task.id in case for case in found):
            yield Finding(
                task=task.id,
                problem="it can never be begun, for it reads results of which one is always passed over",
                mend="let it wait by `depends_on` for those that may be passed over, and refer to none of them",
            )
            return
    writers = {task.id for task in tasks if task.tool is None}
    last = tasks[-1]
    if last.id in writers and any(writers <= case for case in found):
        yield Finding(
            task=last.id,
            problem="it may be passed over, and then nobody answers",
            mend="let it wait by `depends_on` without a condition, or add a task that answers in the other case",
        )


def _case(tasks: Mapping[str, Task], order: Sequence[str], picked: Mapping[str, Any]) -> Case | None:
    over: set[str] = set()
    for task_id in order:
        task = tasks[task_id]
        if any(other in over for other in task.refers_to):
            over.add(task_id)
            continue
        if task.when is not None:
            held = _holds(task.when, picked)
            if held is None:
                return None
            if not held:
                over.add(task_id)
    return frozenset(over)


def _holds(when: Condition, picked: Mapping[str, Any]) -> bool | None:
    """Whether it holds in this case; None where these values cannot be compared so, which is no case."""
    key = _key(when)
    try:
        if key not in picked:
            return when.holds(resolve(when.value, {}), resolve(when.to, {}))
        given = picked[key]
        if when.test == "contains":
            return bool(given)
        if refers(when.to):
            return when.holds(*given)
        return when.holds(given, resolve(when.to, {}))
    except TaskFailed:
        return None


def _fixed(when: Condition) -> bool:
    return not refers(when.value) and not refers(when.to)


def _key(when: Condition) -> str:
    """Conditions with one key are decided by one value."""
    if when.test == "contains":
        return json.dumps(["contains", when.value, when.to], sort_keys=True)
    if refers(when.to):
        return json.dumps(["both", when.value, when.to], sort_keys=True)
    return json.dumps(["one", when.value], sort_keys=True)


def _kind(value: JsonValue, sources: Sources) -> Any:
    try:
        return sources.settled(value)
    except Unknown:
        return Any


def _values(whens: Sequence[Condition], kind: Any) -> list[Any]:
    """Values of that type that between them make every one of these conditions hold, and not hold, where it can."""
    if whens[0].test == "contains":
        return [True, False]
    if refers(whens[0].to):
        return [(0, 1), (1, 1), (1, 0), ([], [0]), (0, [0])] if _listed(whens) else [(0, 1), (1, 1), (1, 0)]
    if not isinstance(kind, Known) and (every := possible(kind)) is not None:
        return list(every)
    said: list[JsonValue] = []
    for when in whens:
        to = resolve(when.to, {})
        said += to if when.test == "one_of" and isinstance(to, list) else [to]
    numbers = sorted({n for n in said if isinstance(n, int | float) and not isinstance(n, bool)})
    texts = sorted({text for text in said if isinstance(text, str)})
    found: list[Any] = [
        value for value in said if not isinstance(value, int | float | str) or isinstance(value, bool)
    ]
    if any(when.test in ("empty", "not_empty") for when in whens):
        found += ["", "x"]
    if numbers:
        whole = bare(kind)[0] is int
        between = [(one + other) / 2 for one, other in pairwise(numbers)]
        near = [number + step for number in numbers for step in (-1, 0, 1)]
        found += [number for number in near if number == int(number)] if whole else [*near, *between]
    if texts:
        found += ["", *texts, *(f"{text}\x00" for text in texts), "\U0010ffff"]
    if any(isinstance(value, bool) for value in said):
        found += [True, False]
    if not numbers and not texts:
        found.append("\x00another")
    return list({short(value): value for value in found}.values())


def _listed(whens: Sequence[Condition]) -> bool:
    return any(when.test == "one_of" for when in whens)
