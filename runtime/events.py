"""What can happen in a run: one small type each, one union of all.

Events with a place in the journal are facts that a resume, a replay or the inspector reads back. `TextDelta`
is live only: it is shown while a model writes and is never stored, for the step's result holds the whole
text. Times are seconds since the epoch (`at`) or plain seconds (`seconds`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from .graph import Task, TaskResult

Effect = Literal["read_only", "idempotent", "once"]
"""What running a step again would do: nothing, the same under the same key, or something doubled."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    at: float = 0.0


class RunStarted(_Event):
    """A run begins: what was asked, of which crew."""

    kind: Literal["run_started"] = "run_started"
    crew: str
    request: str


class RunResumed(_Event):
    """A run that was broken off goes on; its finished steps are not run again."""

    kind: Literal["run_resumed"] = "run_resumed"
    finished_steps: int


class PlanMade(_Event):
    """The task graph is fixed. `strategy` says how it was made, `notes` why, in words for people."""

    kind: Literal["plan_made"] = "plan_made"
    tasks: tuple[Task, ...]
    strategy: str
    notes: tuple[str, ...] = ()


class TaskStarted(_Event):
    """A task's inputs are done and its agent has begun."""

    kind: Literal["task_started"] = "task_started"
    task_id: str


class TaskFinished(_Event):
    """A task has its result. `tokens` and `seconds` are what it took, `key` is a hash of its inputs."""

    kind: Literal["task_finished"] = "task_finished"
    task_id: str
    result: TaskResult
    seconds: float = 0.0
    tokens: int = 0
    key: str = ""


class TaskErred(_Event):
    """A task ended without a result."""

    kind: Literal["task_erred"] = "task_erred"
    task_id: str
    error: str
    code: str = "task_failed"


class TaskSkipped(_Event):
    """A task was not begun, because one that it needs has no result."""

    kind: Literal["task_skipped"] = "task_skipped"
    task_id: str
    because: str


class StepIntended(_Event):
    """An effect is about to happen. Written before it, so that a crash cannot hide it."""

    kind: Literal["step_intended"] = "step_intended"
    task_id: str
    name: str
    key: str
    inputs: JsonValue = None
    effect: Effect = "read_only"


class StepFinished(_Event):
    """An effect has happened, and this is what came of it. Read back instead of run again."""

    kind: Literal["step_finished"] = "step_finished"
    task_id: str
    name: str
    key: str
    output: JsonValue = None
    seconds: float = 0.0
    tokens: int = 0
    tool_calls: int = 0


class StepErred(_Event):
    """An effect was tried and failed; it may be tried again. `code` names the class of error."""

    kind: Literal["step_erred"] = "step_erred"
    task_id: str
    name: str
    key: str
    error: str
    code: str = ""


class Noted(_Event):
    """Something a person should know: a fallback taken, a draft set aside, and why."""

    kind: Literal["noted"] = "noted"
    task_id: str
    text: str


class RunFinished(_Event):
    """The run has its answer."""

    kind: Literal["run_finished"] = "run_finished"
    answer: str
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    tokens: int = 0


class RunErred(_Event):
    """The run ended without an answer; finished tasks keep their results."""

    kind: Literal["run_erred"] = "run_erred"
    error: str
    code: str


class RunCancelled(_Event):
    """Somebody stopped the run; it can be resumed."""

    kind: Literal["run_cancelled"] = "run_cancelled"


class TextDelta(_Event):
    """Live only: a piece of text a model has just written for a task."""

    kind: Literal["text_delta"] = "text_delta"
    task_id: str
    text: str


Event = Annotated[
    RunStarted
    | RunResumed
    | PlanMade
    | TaskStarted
    | TaskFinished
    | TaskErred
    | TaskSkipped
    | StepIntended
    | StepFinished
    | StepErred
    | Noted
    | RunFinished
    | RunErred
    | RunCancelled
    | TextDelta,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads an event back from JSON."""
