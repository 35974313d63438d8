"""History: what a run's events tell, gathered for people and for the inspector. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from .events import (
    Effect,
    Event,
    Noted,
    PlanMade,
    RunCancelled,
    RunErred,
    RunFinished,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskErred,
    TaskFinished,
    TaskSkipped,
    TaskStarted,
    TextDelta,
)
from .graph import Task, TaskResult

State = Literal["waiting", "running", "finished", "failed", "skipped"]
StepState = Literal["begun", "finished", "failed"]
Outcome = Literal["running", "finished", "failed", "cancelled"]


@dataclass(slots=True)
class StepSummary:
    """One step: what went in, what came out. `begun` without an end: the run broke off inside it."""

    name: str
    key: str
    task_id: str
    state: StepState = "begun"
    effect: Effect = "read_only"
    inputs: JsonValue = None
    output: JsonValue = None
    error: str = ""
    at: float = 0.0
    seconds: float = 0.0
    tokens: int = 0


@dataclass(slots=True)
class TaskSummary:
    """One task: whose it is, how far it got, what it cost (`tokens`, `seconds`), and its steps."""

    id: str
    description: str = ""
    agent: str | None = None
    needs: tuple[str, ...] = ()
    tool: str | None = None
    state: State = "waiting"
    result: TaskResult | None = None
    error: str = ""
    started: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    steps: list[StepSummary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RunSummary:
    """One run. `steps` and `notes` are those outside tasks (planning); a task has its own."""

    crew: str = ""
    request: str = ""
    outcome: Outcome = "running"
    answer: str = ""
    evidence: tuple[str, ...] = ()
    error: str = ""
    strategy: str = ""
    plan_notes: tuple[str, ...] = ()
    plan: tuple[Task, ...] = ()
    tasks: list[TaskSummary] = field(default_factory=list)
    steps: list[StepSummary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    resumed: int = 0

    def task(self, task_id: str) -> TaskSummary | None:
        """The task with this id."""
        return next((task for task in self.tasks if task.id == task_id), None)


def summarise(events: Iterable[Event]) -> RunSummary:
    """What these events, in order, come to. Takes the events of a run that is still going as well."""
    reading = _Reading()
    for event in events:
        reading.take(event)
    return reading.summary


class _Reading:
    def __init__(self) -> None:
        self.summary = RunSummary()
        self._tasks: dict[str, TaskSummary] = {}
        self._steps: dict[str, StepSummary] = {}

    def take(self, event: Event) -> None:
        match event:
            case StepIntended() | StepFinished() | StepErred():
                self._take_step(event)
            case TaskStarted() | TaskFinished() | TaskErred() | TaskSkipped():
                self._take_task(event)
            case Noted():
                notes = self._task(event.task_id).notes if event.task_id else self.summary.notes
                notes.append(event.text)
            case PlanMade():
                self._take_plan(event)
            case TextDelta():
                pass
            case _:
                self._take_run(event)

    def _take_run(self, event: RunStarted | RunResumed | RunFinished | RunErred | RunCancelled) -> None:
        run = self.summary
        match event:
            case RunStarted():
                run.crew, run.request, run.started = event.crew, event.request, event.at
            case RunResumed():
                run.resumed += 1
                run.outcome, run.error = "running", ""
                for task in run.tasks:
                    if task.state != "finished":
                        task.state, task.error = "waiting", ""
            case RunFinished():
                run.outcome, run.answer, run.evidence = "finished", event.answer, event.evidence
                run.seconds = event.seconds
                run.tokens = max(run.tokens, event.tokens)
            case RunErred():
                run.outcome, run.error = "failed", event.error
            case RunCancelled():
                run.outcome = "cancelled"

    def _take_plan(self, event: PlanMade) -> None:
        run = self.summary
        run.plan, run.strategy, run.plan_notes = event.tasks, event.strategy, event.notes
        for task in event.tasks:
            shown = self._task(task.id)
            shown.description, shown.agent = task.description, task.agent
            shown.needs, shown.tool = task.needs, task.tool
        # The plan's order, also when a task was heard of before the plan that holds it.
        planned = [self._tasks[task.id] for task in event.tasks]
        run.tasks = planned + [task for task in run.tasks if task not in planned]

    def _take_task(self, event: TaskStarted | TaskFinished | TaskErred | TaskSkipped) -> None:
        task = self._task(event.task_id)
        match event:
            case TaskStarted():
                task.state, task.started, task.error = "running", event.at, ""
            case TaskFinished():
                task.state, task.result, task.error = "finished", event.result, ""
                task.seconds = event.seconds
                task.tokens = max(task.tokens, event.tokens)
            case TaskErred():
                task.state, task.error = "failed", event.error
            case TaskSkipped():
                task.state, task.error = "skipped", event.because

    def _take_step(self, event: StepIntended | StepFinished | StepErred) -> None:
        step = self._steps.get(event.key)
        if step is None:
            step = self._steps[event.key] = StepSummary(event.name, event.key, event.task_id)
            steps = self._task(event.task_id).steps if event.task_id else self.summary.steps
            steps.append(step)
        match event:
            case StepIntended():
                step.state, step.at = "begun", event.at
                step.inputs, step.effect = event.inputs, event.effect
            case StepFinished():
                step.state, step.error = "finished", ""
                step.output, step.seconds, step.tokens = event.output, event.seconds, event.tokens
                step.at = step.at or event.at
                self.summary.tokens += event.tokens
                if event.task_id:
                    self._task(event.task_id).tokens += event.tokens
            case StepErred():
                step.state, step.error = "failed", event.error

    def _task(self, task_id: str) -> TaskSummary:
        task = self._tasks.get(task_id)
        if task is None:
            task = self._tasks[task_id] = TaskSummary(task_id)
            self.summary.tasks.append(task)
        return task
