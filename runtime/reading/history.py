"""History: what a run's events tell, gathered for people and for the inspector. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from ..events import (
    Answered,
    Asked,
    BudgetLow,
    Effect,
    Event,
    Noted,
    PlanMade,
    RunCancelled,
    RunErred,
    RunFinished,
    RunForked,
    RunPaused,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskErred,
    TaskFinished,
    TaskRetried,
    TasksAdded,
    TaskSkipped,
    TaskStarted,
    TextDelta,
)
from ..graph import Task, TaskResult
from .questions import Question, open_questions

State = Literal["waiting", "running", "finished", "failed", "skipped"]
StepState = Literal["begun", "finished", "failed"]
Outcome = Literal["running", "waiting", "finished", "failed", "cancelled"]


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
    tool_calls: int = 0
    money: float = 0.0


@dataclass(slots=True)
class TaskSummary:
    """One task: whose it is, how far it got, what it cost (`tokens`, `seconds`), and its steps.

    `attempts` counts those that have begun, `added_by` is the task that added it ("" for the planner, None when
    it was planned from the start).
    """

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
    attempts: int = 0
    added_by: str | None = None
    steps: list[StepSummary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One plan in the place of another: why, which tasks it does without, which are new, and who made it."""

    reason: str
    left_out: tuple[str, ...]
    new: tuple[str, ...]
    strategy: str


@dataclass(slots=True)
class RunSummary:
    """One run. `steps` and `notes` are those outside tasks (planning); a task has its own.

    `questions` wait for a person, `forked_from` is the run (and the event in it) that this one goes on from. `estimate` is
    what its first plan was thought to take, `intent` what the request was taken for. `plan` is the last one, `changes`
    tell how it came to be, `missing` what it gave up on.
    """

    crew: str = ""
    request: str = ""
    outcome: Outcome = "running"
    answer: str = ""
    evidence: tuple[str, ...] = ()
    error: str = ""
    strategy: str = ""
    plan_notes: tuple[str, ...] = ()
    plan: tuple[Task, ...] = ()
    estimate: JsonValue = None
    intent: str = ""
    changes: list[PlanChange] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    tasks: list[TaskSummary] = field(default_factory=list)
    steps: list[StepSummary] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0
    resumed: int = 0
    questions: tuple[Question, ...] = ()
    forked_from: tuple[str, int] | None = None

    def task(self, task_id: str) -> TaskSummary | None:
        """The task with this id."""
        return next((task for task in self.tasks if task.id == task_id), None)


def summarise(events: Iterable[Event]) -> RunSummary:
    """What these events, in order, come to. Takes the events of a run that is still going as well."""
    known = list(events)
    reading = _Reading()
    for event in known:
        reading.take(event)
    summary = reading.summary
    summary.questions = tuple(open_questions(known, running=summary.outcome == "running"))
    return summary


class _Reading:
    def __init__(self) -> None:
        self.summary = RunSummary()
        self._tasks: dict[str, TaskSummary] = {}
        self._steps: dict[str, StepSummary] = {}

    def take(self, event: Event) -> None:
        match event:
            case StepIntended() | StepFinished() | StepErred():
                self._take_step(event)
            case TaskStarted() | TaskFinished() | TaskErred() | TaskRetried() | TaskSkipped():
                self._take_task(event)
            case TasksAdded():
                for task in event.tasks:
                    self._describe(task).added_by = event.task_id
            case Asked():
                if event.task_id:
                    self._task(event.task_id).state = "waiting"
            case Answered():
                said = f"{event.answer.decision}" + (f": {event.answer.note}" if event.answer.note else "")
                self._note(event.task_id, f"{event.answer.by or 'Somebody'} answered {said}")
            case BudgetLow():
                self._note(
                    event.task_id,
                    f"The {event.of} has used {event.used:g} of {event.limit:g} {event.what}: going the cheaper way.",
                )
            case Noted():
                self._note(event.task_id, event.text)
            case PlanMade():
                self._take_plan(event)
            case TextDelta():
                pass
            case _:
                self._take_run(event)

    def _take_run(
        self,
        event: RunStarted | RunResumed | RunFinished | RunErred | RunCancelled | RunPaused | RunForked,
    ) -> None:
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
            case RunPaused():
                run.outcome, run.error = "waiting", event.reason
            case RunForked():
                run.forked_from = (event.origin, event.at_seq)

    def _take_plan(self, event: PlanMade) -> None:
        run = self.summary
        before = {task.id for task in run.tasks}
        if event.reason:
            left_out = tuple(task.id for task in event.left_out)
            new = tuple(task.id for task in event.tasks if task.id not in before)
            run.changes.append(PlanChange(event.reason, left_out, new, event.strategy))
            run.plan_notes = tuple(dict.fromkeys((*run.plan_notes, *event.notes)))
        else:
            run.strategy, run.plan_notes = event.strategy, event.notes
            run.estimate, run.intent = event.estimate, event.intent
        run.plan, run.missing = event.tasks, event.missing
        for task in event.tasks:
            self._describe(task)
        # The plan's order, also when a task was heard of before the plan that holds it.
        planned = [self._tasks[task.id] for task in event.tasks]
        run.tasks = planned + [task for task in run.tasks if task not in planned]

    def _take_task(self, event: TaskStarted | TaskFinished | TaskErred | TaskRetried | TaskSkipped) -> None:
        task = self._task(event.task_id)
        match event:
            case TaskStarted():
                task.state, task.started, task.error = "running", event.at, ""
                task.attempts += 1
            case TaskFinished():
                task.state, task.result, task.error = "finished", event.result, ""
                task.seconds = event.seconds
                task.tokens = max(task.tokens, event.tokens)
            case TaskErred():
                task.state, task.error = "failed", event.error
            case TaskRetried():
                task.state, task.error = "waiting", event.error
                task.notes.append(
                    f"Attempt {event.attempt} failed ({event.error}); tried again after {event.wait:.1f} s."
                )
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
                step.tool_calls, step.money = event.tool_calls, event.money
                step.at = step.at or event.at
                self.summary.tokens += event.tokens
                self.summary.tool_calls += event.tool_calls
                self.summary.money += event.money
                if event.task_id:
                    self._task(event.task_id).tokens += event.tokens
            case StepErred():
                step.state, step.error = "failed", event.error

    def _note(self, task_id: str, text: str) -> None:
        (self._task(task_id).notes if task_id else self.summary.notes).append(text)

    def _describe(self, task: Task) -> TaskSummary:
        shown = self._task(task.id)
        shown.description, shown.agent = task.description, task.agent
        shown.needs, shown.tool = task.needs, task.tool
        return shown

    def _task(self, task_id: str) -> TaskSummary:
        task = self._tasks.get(task_id)
        if task is None:
            task = self._tasks[task_id] = TaskSummary(task_id)
            self.summary.tasks.append(task)
        return task
