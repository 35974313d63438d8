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

Decision = Literal["approve", "edit", "answer", "reject"]
"""What a person may say to a question: go on; go on with `value` instead; here is the answer; no."""

SkipReason = Literal["failed", "condition", "rejected"]
"""Why a task was not begun: one it needs failed, its condition is not met, or a person said no."""


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
    """The task graph is fixed. `strategy` says how it was made, `notes` why, in words for people.

    A later one stands in place of the one before, for this `reason`: tasks of the same id keep their results, and those
    `left_out` are the ones that it does without. `missing` says for people what the plan gave up on. `estimate` is what
    it was thought to take, `intent` what the request was taken for, `trusted` whether the model was to be believed. A plan
    that is `growing` is still being written: its further tasks are added as they are found.
    """

    kind: Literal["plan_made"] = "plan_made"
    tasks: tuple[Task, ...]
    strategy: str
    notes: tuple[str, ...] = ()
    reason: str = ""
    left_out: tuple[Task, ...] = ()
    missing: tuple[str, ...] = ()
    estimate: JsonValue = None
    intent: str = ""
    trusted: bool = False
    growing: bool = False


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


class TaskRetried(_Event):
    """A task failed and is tried again after `wait` seconds. `attempt` is the one that failed, from 1."""

    kind: Literal["task_retried"] = "task_retried"
    task_id: str
    attempt: int
    error: str
    code: str = "task_failed"
    wait: float = 0.0


class TaskSkipped(_Event):
    """A task was not begun, because one that it needs has no result, or because its condition is not met."""

    kind: Literal["task_skipped"] = "task_skipped"
    task_id: str
    because: str
    reason: SkipReason = "failed"


class TasksAdded(_Event):
    """The graph grew: task `task_id` ("" is the planner) added `tasks`, and those named in `then` wait for them."""

    kind: Literal["tasks_added"] = "tasks_added"
    task_id: str
    tasks: tuple[Task, ...]
    then: tuple[str, ...] = ()


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
    money: float = 0.0


class StepErred(_Event):
    """An effect was tried and failed; it may be tried again. `code` names the class of error."""

    kind: Literal["step_erred"] = "step_erred"
    task_id: str
    name: str
    key: str
    error: str
    code: str = ""


class Answer(BaseModel):
    """What a person said: the decision, the `value` of an edit or an answer, why, and who it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: Decision
    value: JsonValue = None
    note: str = ""
    by: str = ""


class Asked(_Event):
    """A person has to say something before this task goes on. `about` is what the question is about."""

    kind: Literal["asked"] = "asked"
    task_id: str
    key: str
    name: str = "ask"
    question: str
    about: JsonValue = None
    choices: tuple[Decision, ...] = ("approve", "edit", "answer", "reject")


class Answered(_Event):
    """A person has answered a question; read back like the result of a step."""

    kind: Literal["answered"] = "answered"
    task_id: str
    key: str
    name: str = "ask"
    answer: Answer


class BudgetLow(_Event):
    """A soft limit is reached: from here on the run goes the cheaper way. `of` is "run", "task" or "tenant"."""

    kind: Literal["budget_low"] = "budget_low"
    task_id: str
    of: str
    what: str
    used: float
    limit: float


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


class RunPaused(_Event):
    """The run waits for a person: nothing is held meanwhile, and an answer lets it go on."""

    kind: Literal["run_paused"] = "run_paused"
    keys: tuple[str, ...] = ()
    reason: str = ""


class RunForked(_Event):
    """This run goes on from another one: `origin` is its id, `at_seq` the first event that was left behind."""

    kind: Literal["run_forked"] = "run_forked"
    origin: str
    at_seq: int
    changes: JsonValue = None


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
    | TaskRetried
    | TaskSkipped
    | TasksAdded
    | StepIntended
    | StepFinished
    | StepErred
    | Asked
    | Answered
    | BudgetLow
    | Noted
    | RunFinished
    | RunErred
    | RunCancelled
    | RunPaused
    | RunForked
    | TextDelta,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads an event back from JSON."""
