"""Point: the place in a past run at which a fork leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import InvalidRequest, NotFound
from ..events import (
    Answered,
    Asked,
    Event,
    RunForked,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TasksAdded,
    TaskSkipped,
)

Subject = Literal["plan", "task", "step", "question", "run"]
"""What stands at a point: the planning, a task, a step, a question to a person, or nothing that could be changed."""

StepEvent = StepIntended | StepFinished | StepErred | Asked | Answered
"""What is journalled of one step; a question is a step that a person carries out."""

STEP_EVENTS = (StepIntended, StepFinished, StepErred, Asked, Answered)

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Point:
    """Events before `index` (counted from 0) are before the point. `begun`: its subject had begun by then."""

    index: int
    subject: Subject
    task_id: str = ""
    key: str = ""
    begun: bool = False

    @property
    def seq(self) -> int:
        """The first event that is left behind, counted from 1."""
        return self.index + 1

    def __str__(self) -> str:
        match self.subject:
            case "plan":
                return "the planning"
            case "task":
                return f"task {self.task_id!r}"
            case "step" | "question":
                return f"{self.subject} {self.key} of {place_of(self.task_id)}"
            case _:
                return f"event {self.seq}"


def find_point(events: Sequence[Event], at: str) -> Point:
    """The place that `at` means.

    ``plan`` is before the planning; a task's id before that task begins (``plan:`` is a task of that name);
    ``task:step`` before the first step of that name in that task (``:step`` in the planning); ``#N`` before event
    number N; a step's key, or a unique beginning of it, before that step.

    Raises:
        InvalidRequest: the run has no beginning, the number is out of range, or several keys begin so.
        NotFound: there is no such task or step.
    """
    planning = after_beginning(events)
    if at == "plan":
        return Point(planning, "plan")
    if at.startswith("#"):
        return _numbered(events, at, planning + 1)
    if any(isinstance(event, STEP_EVENTS) and event.key == at for event in events):
        return _at_step(events, at)
    task_id, _, name = at.partition(":")
    if name:
        return _at_step(events, _first_of_name(events, task_id, name))
    if (index := _begins(events, task_id)) is not None:
        return Point(index, "task", task_id)
    return _at_step(events, _beginning_with(events, at))


def after_beginning(events: Sequence[Event]) -> int:
    """The place of the first event that is not about how the run began: a fork's second event says where from.

    Raises:
        InvalidRequest: the run has no beginning.
    """
    place = next((place for place, event in enumerate(events, 1) if isinstance(event, RunStarted)), 0)
    if not place:
        raise InvalidRequest(
            "This run has not begun yet, so there is nothing to fork from: wait, or ask anew."
        )
    while place < len(events) and isinstance(events[place], RunForked):
        place += 1
    return place


def place_of(task_id: str) -> str:
    """A task, or what goes on outside of tasks, in words."""
    return f"task {task_id!r}" if task_id else "the planning"


def listed(names: Iterable[str]) -> str:
    """The first few of these names, for a sentence that says what there is."""
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return (", ".join(known[:_SHOWN]) or "none") + more


def _numbered(events: Sequence[Event], at: str, least: int) -> Point:
    digits = at[1:]
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
    if not least <= number <= len(events) + 1:
        raise InvalidRequest(
            f"There is no fork point {at!r}: the run has {len(events)} events, so choose #{least} to "
            f"#{len(events) + 1} (the event with that number is the first one left behind)."
        )
    index = number - 1
    event = events[index] if index < len(events) else None
    if isinstance(event, STEP_EVENTS):
        return _at_step(events, event.key, index)
    task_id = getattr(event, "task_id", "")
    if task_id and event is not None and event.kind.startswith("task_"):
        first = _begins(events, task_id)
        return Point(index, "task", task_id, begun=first is not None and first < index)
    return Point(index, "plan" if number == least else "run")


def _at_step(events: Sequence[Event], key: str, index: int | None = None) -> Point:
    for first, event in enumerate(events):
        if isinstance(event, STEP_EVENTS) and event.key == key:
            subject: Subject = "question" if isinstance(event, Asked) else "step"
            place = first if index is None else index
            return Point(place, subject, event.task_id, key, begun=first < place)
    raise NotFound(f"The run has no step {key!r}.")


def _first_of_name(events: Sequence[Event], task_id: str, name: str) -> str:
    names: list[str] = []
    for event in events:
        if isinstance(event, STEP_EVENTS) and event.task_id == task_id:
            if event.name == name:
                return event.key
            names.append(event.name)
    if not names and task_id and _begins(events, task_id) is None:
        raise _no_task(events, task_id)
    where = place_of(task_id)
    raise NotFound(f"No step of {where} is called {name!r}; its steps are: {listed(names)}.")


def _begins(events: Sequence[Event], task_id: str) -> int | None:
    """The first event of a task that was begun; a person may have been asked before it started."""
    if not task_id:
        return None
    for index, event in enumerate(events):
        if not isinstance(event, TaskSkipped | TasksAdded) and getattr(event, "task_id", "") == task_id:
            return index
    return None


def _beginning_with(events: Sequence[Event], at: str) -> str:
    keys = {
        event.key: None
        for event in events
        if at and isinstance(event, STEP_EVENTS) and event.key.startswith(at)
    }
    if len(keys) > 1:
        raise InvalidRequest(f"Several steps begin with {at!r} ({listed(keys)}): give more of the key.")
    if not keys:
        raise _no_task(events, at)
    return next(iter(keys))


def _no_task(events: Sequence[Event], at: str) -> NotFound:
    begun = listed(
        task_id
        for event in events
        if not isinstance(event, TaskSkipped) and (task_id := getattr(event, "task_id", ""))
    )
    return NotFound(
        f"No task {at!r} was begun in this run and no step's key begins so; begun were: {begun} "
        "(a step is task:step or its key, an event #N, the planning plan)."
    )
