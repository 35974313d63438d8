"""Owns what a run looks like: events folded, one after the other, into tasks with their state and steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ...runtime.events import (
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
from ...runtime.graph import Task, TaskResult

State = Literal["waiting", "running", "done", "failed", "skipped", "stopped"]

_TAIL = 2_000
"""How much of a text that is being written is kept for the screen."""


@dataclass(slots=True)
class StepView:
    """One effect of a task: its inputs, and its output or error."""

    name: str
    key: str
    inputs: Any = None
    output: Any = None
    error: str = ""
    state: State = "running"
    seconds: float = 0.0
    tokens: int = 0


@dataclass(slots=True)
class TaskView:
    """One task as a person follows it."""

    task: Task
    state: State = "waiting"
    started_at: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    tail: str = ""
    error: str = ""
    result: TaskResult | None = None
    notes: list[str] = field(default_factory=list)
    steps: list[StepView] = field(default_factory=list)

    @property
    def role(self) -> str:
        """Who does it: the agent's role, or the tool of a task without one."""
        return self.task.agent or self.task.tool or ""


@dataclass(slots=True)
class RunView:
    """A run as far as its events tell it. Steps and notes outside the plan's tasks are the run's own."""

    crew: str = ""
    request: str = ""
    state: State = "running"
    strategy: str = ""
    answer: str = ""
    error: str = ""
    seconds: float = 0.0
    tokens: int = 0
    finished_steps: int = 0
    tail: str = ""
    evidence: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    steps: list[StepView] = field(default_factory=list)
    tasks: dict[str, TaskView] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Take one more event in."""
        match event:
            case RunStarted():
                self.crew, self.request, self.state = event.crew, event.request, "running"
            case RunResumed():
                self.finished_steps, self.state, self.error = event.finished_steps, "running", ""
            case PlanMade():
                self.strategy, self.tail = event.strategy, ""
                self.notes.extend(note for note in event.notes if note not in self.notes)
                self.tasks = {task.id: self.tasks.get(task.id) or TaskView(task) for task in event.tasks}
            case RunFinished():
                self.state, self.answer, self.evidence = "done", event.answer, event.evidence
                self.seconds, self.tokens = event.seconds, event.tokens
            case RunErred():
                self.state, self.error = "failed", event.error
                self._stop_what_runs()
            case RunCancelled():
                self.state = "stopped"
                self._stop_what_runs()
            case _:
                self._apply_inside(event)

    def _apply_inside(self, event: Event) -> None:
        place = self.tasks.get(getattr(event, "task_id", ""))
        match event:
            case TaskStarted() if place is not None:
                place.state, place.started_at, place.error = "running", event.at, ""
            case TaskFinished() if place is not None:
                place.state, place.result, place.tail = "done", event.result, ""
                place.seconds, place.tokens = event.seconds, event.tokens
            case TaskErred() if place is not None:
                place.state, place.error, place.tail = "failed", event.error, ""
            case TaskSkipped() if place is not None:
                place.state, place.error = "skipped", event.because
            case Noted():
                (self if place is None else place).notes.append(event.text)
            case TextDelta():
                owner = self if place is None else place
                owner.tail = (owner.tail + event.text)[-_TAIL:]
            case StepIntended():
                owner = self if place is None else place
                owner.steps.append(StepView(event.name, event.key, inputs=event.inputs))
                owner.tail = ""
            case StepFinished():
                step = self._step(event.key, event.name, place)
                step.state, step.output, step.error = "done", event.output, ""
                step.seconds, step.tokens = event.seconds, event.tokens
                if place is not None and place.state == "running":
                    place.tokens += event.tokens
            case StepErred():
                step = self._step(event.key, event.name, place)
                step.state, step.error = "failed", event.error
            case _:
                pass

    def _step(self, key: str, name: str, place: TaskView | None) -> StepView:
        steps = self.steps if place is None else place.steps
        for step in reversed(steps):
            if step.key == key:
                return step
        steps.append(StepView(name, key))
        return steps[-1]

    def _stop_what_runs(self) -> None:
        for task in self.tasks.values():
            if task.state == "running":
                task.state = "stopped"
