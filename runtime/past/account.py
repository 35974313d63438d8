"""Account: one run gathered for comparing: its tasks, what each step was given and gave, and what it used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from ..events import (
    Answered,
    Asked,
    Event,
    PlanMade,
    RunCancelled,
    RunErred,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskErred,
    TaskFinished,
    TasksAdded,
    TaskSkipped,
    TaskStarted,
)
from ..graph import Task, TaskResult
from .point import StepEvent

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""JSON as one text for each value: the same as in the keys of steps, so that 1 and true differ."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run, a task or a step has used. `seconds` of steps add up, also where they went side by side."""

    steps: int = 0
    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0
    seconds: float = 0.0

    @property
    def counted(self) -> tuple[float, ...]:
        """All but the seconds, which no two runs have in common."""
        return self.tokens, self.tool_calls, self.money


@dataclass(slots=True, eq=False)
class StepAccount:
    """One step: `inputs` in, `outcome` out (its output, the answer to a question, or how it failed, if `failed`).

    `place` is where it stands among the steps of its task, in the order they began; `over` the number of the event
    that ended it, 0 if none did.
    """

    task_id: str
    name: str
    key: str
    place: int
    inputs: JsonValue = None
    outcome: JsonValue = None
    failed: bool = False
    over: int = 0
    spent: Spent = field(default_factory=Spent)
    events: list[StepEvent] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class TaskAccount:
    """One task: what was planned, who added it, how it ended. The one without an id is the planning."""

    id: str
    planned: Task | None = None
    added_by: str | None = None
    state: str = "waiting"
    result: TaskResult | None = None
    error: str = ""
    steps: list[StepAccount] = field(default_factory=list)
    also_waits_for: list[str] = field(default_factory=list)
    """Tasks added later that this one was told to wait for."""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The tasks whose end it waits for."""
        return (*(self.planned.needs if self.planned is not None else ()), *self.also_waits_for)

    @property
    def spent(self) -> Spent:
        """What its steps used together."""
        return total(step.spent for step in self.steps)


@dataclass(slots=True, eq=False)
class Account:
    """One run. `tasks` are in the order in which they were planned or heard of, the planning first."""

    request: str = ""
    ended: str = "running"
    answer: str = ""
    error: str = ""
    seconds: float = 0.0
    tasks: dict[str, TaskAccount] = field(default_factory=lambda: {"": TaskAccount("")})
    steps: dict[str, StepAccount] = field(default_factory=dict)

    @property
    def spent(self) -> Spent:
        """What the whole run used; its `seconds` are those it worked."""
        used = total(step.spent for step in self.steps.values())
        return Spent(used.steps, used.tokens, used.tool_calls, used.money, self.seconds)

    def task(self, task_id: str) -> TaskAccount:
        """The task with this id, made when it is first heard of."""
        found = self.tasks.get(task_id)
        if found is None:
            found = self.tasks[task_id] = TaskAccount(task_id)
        return found


def account(events: Sequence[Event]) -> Account:
    """What these events, in order, come to."""
    run = Account()
    began = last = 0.0
    for seq, event in enumerate(events, 1):
        if isinstance(event, RunStarted | RunResumed):
            run.seconds += max(0.0, last - began)
            began = event.at
        last = event.at
        _take(run, seq, event)
    run.seconds = round(run.seconds + max(0.0, last - began), 6)
    return run


def total(parts: Iterable[Spent]) -> Spent:
    """The sum of what several used."""
    steps = tokens = calls = 0
    money = seconds = 0.0
    for part in parts:
        steps += part.steps
        tokens += part.tokens
        calls += part.tool_calls
        money += part.money
        seconds += part.seconds
    return Spent(steps, tokens, calls, money, round(seconds, 6))


def _as_done(task: Task) -> Task:
    """The task without what was only thought of it, which changes nothing of what it comes to."""
    return task if task.expected_seconds is None else task.model_copy(update={"expected_seconds": None})


def _take(run: Account, seq: int, event: Event) -> None:
    match event:
        case StepIntended() | StepFinished() | StepErred() | Asked() | Answered():
            _take_step(run, seq, event)
        case TaskStarted():
            run.task(event.task_id).state = "begun"
        case TaskFinished():
            task = run.task(event.task_id)
            task.state, task.result, task.error = "finished", event.result, ""
        case TaskErred():
            task = run.task(event.task_id)
            task.state, task.error, task.result = "failed", event.error, None
        case TaskSkipped():
            task = run.task(event.task_id)
            task.state, task.error = "skipped", event.because
        case PlanMade():
            for planned in event.tasks:
                run.task(planned.id).planned = _as_done(planned)
        case TasksAdded():
            for planned in event.tasks:
                task = run.task(planned.id)
                task.planned, task.added_by = _as_done(planned), event.task_id
            for waiting in event.then:
                run.task(waiting).also_waits_for += [planned.id for planned in event.tasks]
        case RunStarted():
            run.request = event.request
        case RunResumed():
            run.ended = "running"
        case RunFinished():
            run.ended, run.answer, run.error = "finished", event.answer, ""
        case RunErred():
            run.ended, run.error = "failed", event.error
        case RunCancelled():
            run.ended = "cancelled"
        case RunPaused():
            run.ended = "waiting"
        case _:
            pass


def _take_step(run: Account, seq: int, event: StepEvent) -> None:
    step = run.steps.get(event.key)
    if step is None:
        task = run.task(event.task_id)
        step = StepAccount(event.task_id, event.name, event.key, len(task.steps))
        run.steps[event.key] = step
        task.steps.append(step)
    step.events.append(event)
    match event:
        case StepIntended():
            step.inputs, step.over = event.inputs, 0
        case Asked():
            step.inputs, step.over = {"question": event.question, "about": event.about}, 0
        case StepFinished():
            step.outcome, step.failed, step.over = event.output, False, seq
            step.spent = total(
                (step.spent, Spent(1, event.tokens, event.tool_calls, event.money, event.seconds))
            )
        case StepErred():
            step.outcome, step.failed, step.over = {"error": event.error, "code": event.code}, True, seq
        case Answered():
            answer: JsonValue = event.answer.model_dump(mode="json", exclude_defaults=True)
            step.outcome, step.failed, step.over = answer, False, seq
            step.spent = Spent(1)
