"""Changes: what is made otherwise where a fork leaves its run: a result, an argument, an answer, the request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue, ValidationError

from ..errors import InvalidRequest
from ..events import (
    Answer,
    Answered,
    Asked,
    Event,
    PlanMade,
    RunStarted,
    StepFinished,
    StepIntended,
    TaskFinished,
    TasksAdded,
    TaskStarted,
)
from ..graph import Task, TaskGraph, TaskResult
from ..reading.questions import Question
from .point import Point, Subject, listed

_MAY_SET: dict[Subject, tuple[str, ...]] = {
    "plan": ("request",),
    "task": ("result", "args", "description"),
    "step": ("output",),
    "question": ("answer",),
    "run": (),
}
_WITH_PATH = frozenset({"result", "args", "output"})


@dataclass(frozen=True, slots=True)
class Changed:
    """What a fork begins with instead: `before` are the kept events, `given` comes after them.

    `given_key` is the step whose recorded outcome is not to be kept, since another one is given.
    """

    before: tuple[Event, ...]
    given: tuple[Event, ...] = ()
    given_key: str = ""
    request: str | None = None


@dataclass(slots=True)
class _Wanted:
    """One name of `set`, with what is wanted at each path inside it ("" is all of it)."""

    parts: dict[tuple[str, ...], JsonValue] = field(default_factory=dict)

    def onto(self, old: JsonValue, name: str) -> JsonValue:
        """The old value with these parts in it."""
        value = self.parts.get((), old)
        for path, part in self.parts.items():
            if path:
                value = _put(value, path, part, name)
        return value


def apply_changes(
    events: Sequence[Event], kept: Sequence[Event], point: Point, changes: Mapping[str, JsonValue]
) -> Changed:
    """Make the changes at the point. `events` is the whole run, `kept` what the fork takes over of it.

    Raises:
        InvalidRequest: a name cannot be set there, a path does not exist, or a value is not of the right kind.
        InvalidGraph: with its new arguments a task would wait for one that is not there, or for itself.
    """
    before = tuple(kept)
    if not changes:
        return Changed(before)
    wanted = _read(changes, point)
    if point.subject == "plan":
        text = wanted["request"].onto("", "request")
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequest("The request is set to nothing that could be asked: give it a text.")
        started = tuple(
            event.model_copy(update={"request": text}) if isinstance(event, RunStarted) else event
            for event in before
        )
        return Changed(started, request=text)
    if point.subject == "step":
        return Changed(before, _given_output(events, before, point, wanted["output"]), point.key)
    if point.subject == "question":
        return Changed(before, _given_answer(events, before, point, wanted["answer"]), point.key)
    if "result" in wanted:
        if len(wanted) > 1:
            raise InvalidRequest(
                f"{point} is given its result, so it is not carried out: leave out {listed(set(wanted) - {'result'})}."
            )
        return Changed(before, _given_result(events, before, point, wanted["result"]))
    return Changed(_replanned(before, point, wanted))


def _read(changes: Mapping[str, JsonValue], point: Point) -> dict[str, _Wanted]:
    may = _MAY_SET[point.subject]
    wanted: dict[str, _Wanted] = {}
    for said, value in changes.items():
        name, *path = said.split(".")
        if name not in may or (path and name not in _WITH_PATH) or not all(path):
            there = listed(f"{n}, {n}.PATH" if n in _WITH_PATH else n for n in may)
            raise InvalidRequest(f"{said!r} cannot be set at {point}; what can be set there is: {there}.")
        wanted.setdefault(name, _Wanted()).parts[tuple(path)] = value
    return wanted


def _given_output(
    events: Sequence[Event], before: Sequence[Event], point: Point, wanted: _Wanted
) -> tuple[Event, ...]:
    intent = next((e for e in events if isinstance(e, StepIntended) and e.key == point.key), None)
    finished = next((e for e in reversed(events) if isinstance(e, StepFinished) and e.key == point.key), None)
    described = intent or finished
    if described is None:
        raise InvalidRequest(
            f"{point} has failed whenever it was tried, and nothing is known of it to change."
        )
    if finished is None and () not in wanted.parts:
        raise InvalidRequest(f"{point} has no result in which a part could be set: set its whole output.")
    at = before[-1].at
    given = StepFinished(
        at=at,
        task_id=point.task_id,
        name=described.name,
        key=point.key,
        output=wanted.onto(finished.output if finished is not None else None, "output"),
    )
    if intent is None or point.begun:
        return (given,)
    return (intent.model_copy(update={"at": at}), given)


def _given_answer(
    events: Sequence[Event], before: Sequence[Event], point: Point, wanted: _Wanted
) -> tuple[Event, ...]:
    asked = next(e for e in events if isinstance(e, Asked) and e.key == point.key)
    question = Question(
        asked.key, asked.task_id, asked.name, asked.question, asked.about, asked.choices, asked.at
    )
    answer = _answer(wanted.parts[()], asked)
    question.check(answer)
    at = before[-1].at
    given = Answered(at=at, task_id=asked.task_id, key=asked.key, name=asked.name, answer=answer)
    return (given,) if point.begun else (asked.model_copy(update={"at": at}), given)


def _answer(value: JsonValue, asked: Asked) -> Answer:
    """``{"decision": …}`` is a whole answer, one of the choices is that decision, anything else answers in words."""
    if isinstance(value, dict) and "decision" in value:
        try:
            return Answer.model_validate(value)
        except ValidationError as error:
            raise InvalidRequest(f"The answer to question {asked.key} is none: {_first(error)}.") from None
    for choice in asked.choices:
        if value == choice:
            return Answer(decision=choice)
    return Answer(decision="answer", value=value)


def _given_result(
    events: Sequence[Event], before: Sequence[Event], point: Point, wanted: _Wanted
) -> tuple[Event, ...]:
    finished = next(
        (e for e in reversed(events) if isinstance(e, TaskFinished) and e.task_id == point.task_id), None
    )
    if finished is None and () not in wanted.parts:
        raise InvalidRequest(f"{point} has no result in which a part could be set: set its whole result.")
    value = wanted.onto(finished.result.value if finished is not None else None, "result")
    at = before[-1].at
    given = TaskFinished(
        at=at, task_id=point.task_id, result=TaskResult(value=value, text=_in_words(value)), key=""
    )
    return (given,) if point.begun else (TaskStarted(at=at, task_id=point.task_id), given)


def _in_words(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _replanned(before: tuple[Event, ...], point: Point, wanted: Mapping[str, _Wanted]) -> tuple[Event, ...]:
    if point.begun:
        raise InvalidRequest(
            f"{point} had begun by event {point.seq}: fork before it begins to change it (--at {point.task_id})."
        )
    found = False
    changed: list[Event] = []
    over = {event.task_id for event in before if isinstance(event, TaskFinished)}
    for event in before:
        if isinstance(event, PlanMade | TasksAdded) and any(task.id == point.task_id for task in event.tasks):
            tasks = tuple(
                _changed(task, point, wanted) if task.id == point.task_id else task for task in event.tasks
            )
            if isinstance(event, TasksAdded) and event.task_id and event.task_id not in over:
                raise InvalidRequest(
                    f"{point} was added by task {event.task_id!r}, which goes on in the fork and would add it as it "
                    f"was: give {point.task_id!r} a result, or fork at {event.task_id!r}."
                )
            event, found = event.model_copy(update={"tasks": tasks}), True
        changed.append(event)
    if not found:
        raise InvalidRequest(f"{point} is not in the plan by itself: change the task that it is a part of.")
    TaskGraph(planned(changed).values())
    return tuple(changed)


def _changed(task: Task, point: Point, wanted: Mapping[str, _Wanted]) -> Task:
    update: dict[str, Any] = {}
    if "args" in wanted:
        update["args"] = wanted["args"].onto(cast(JsonValue, task.args), "args")
    if "description" in wanted:
        update["description"] = wanted["description"].parts[()]
    try:
        return Task.model_validate(task.model_dump() | update)
    except ValidationError as error:
        raise InvalidRequest(f"{point} cannot be so: {_first(error)}.") from None


def planned(events: Sequence[Event]) -> dict[str, Task]:
    """The tasks of a run by id: those of its last plan, and those added since."""
    tasks: dict[str, Task] = {}
    for event in events:
        if isinstance(event, PlanMade):
            tasks = {task.id: task for task in event.tasks}
        elif isinstance(event, TasksAdded):
            tasks |= {task.id: task for task in event.tasks}
    return tasks


def _put(value: JsonValue, path: Sequence[str], part: JsonValue, where: str) -> JsonValue:
    """The value with the part at this path put in. What is there already is not touched."""
    name, *rest = path
    if isinstance(value, list):
        if not (name.isascii() and name.isdigit() and int(name) < len(value)):
            raise InvalidRequest(f"{where} has no entry {name!r}: it has {len(value)}, counted from 0.")
        inner = _put(value[int(name)], rest, part, f"{where}.{name}") if rest else part
        return [*value[: int(name)], inner, *value[int(name) + 1 :]]
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where} has nothing inside that could be set: it is {_kind(value)}.")
    if name not in value:
        raise InvalidRequest(f"{where} has no {name!r}; it has: {listed(value)}.")
    return value | {name: _put(value[name], rest, part, f"{where}.{name}") if rest else part}


def _kind(value: JsonValue) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes or no"
    return "a text" if isinstance(value, str) else "a number"


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
