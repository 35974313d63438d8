"""Every error crewgraph raises, in one tree.

::

    CrewgraphError                    exit 1, HTTP 500
    ├── InvalidInput                  exit 2, HTTP 400: the caller can mend it
    │   ├── InvalidGraph              a task graph that cannot run (cycle, unknown reference, doubled id)
    │   ├── InvalidCrew               a crew file or crew definition that cannot be used
    │   ├── InvalidPlan               a plan that the checker refuses
    │   │   └── Unreachable           a goal that no tool of the crew leads to, or wishes that exclude each other
    │   ├── InvalidRequest            an empty, oversized or malformed request
    │   │   └── InvalidSchema         a JSON schema, pattern or grammar that no engine could follow
    │   └── NotFound                  HTTP 404: a run, thread or name that does not exist
    ├── EngineError                   exit 2, HTTP 503: the model engine is missing or does not answer
    │   ├── EngineUnreachable         nothing answers at its address, or it closes the connection unasked
    │   ├── EngineBusy                HTTP 429: it, or a limit of ours, takes no more requests just now
    │   ├── EngineTimeout             HTTP 504: the reply was not whole in the time that the call had
    │   ├── StreamBroken              HTTP 502: a reply broke off in the middle
    │   ├── KeyRefused                the key is missing or wrong
    │   ├── UnknownModel              HTTP 404: it serves no model or adapter of that name
    │   ├── NotAnEngine               what answers there speaks something else, a web page perhaps
    │   └── ModelError                HTTP 502: the engine answered, and the answer is unusable
    │       ├── ReplyTruncated        the reply ran out of tokens before it had the form asked for
    │       └── ContextTooLong        HTTP 400: prompt and reply do not fit the model's window
    ├── StoreError                    exit 2: the database cannot be used
    │   ├── StoreCorrupt              the file was damaged and has been set aside
    │   ├── JournalTampered           an event was changed after it was written; the hash chain says which
    │   └── ClaimLost                 another process has taken the run over: this one must stop
    ├── ToolError                     a tool failed; ToolArgumentError: its arguments were wrong
    ├── TaskFailed                    a task ended without a result
    │   └── Surprise                  its result is not what the plan took for granted
    ├── Rejected                      HTTP 403: a person said no
    ├── RunWaiting                    exit 4, HTTP 202: a person has to answer before the run goes on
    ├── BudgetExceeded                HTTP 429: a run used up what it was given
    ├── StepInDoubt                   exit 4, HTTP 202: a `once` effect was begun and may have happened
    └── ReplayDiverged                the code now asks for a step that the journal does not hold

Every message says what is wrong, where, and what to do next, in one sentence a person can act on.
Cancellation is ``asyncio.CancelledError`` and stays outside this tree, so that no ``except Exception``
swallows it. So does `Suspended`, the signal by which a task that waits for a person leaves its worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph import Task, TaskResult


class CrewgraphError(Exception):
    """Base of all errors that crewgraph raises on purpose."""

    exit_code = 1
    http_status = 500
    code = "internal_error"
    run_id: str = ""
    """The run that ended with it, where there is one; set by the house."""


class InvalidInput(CrewgraphError):
    """Something the caller gave is wrong, and the caller can mend it."""

    exit_code = 2
    http_status = 400
    code = "invalid_input"


class InvalidGraph(InvalidInput):
    """A task graph that cannot run: a cycle, a doubled id, a reference to a task that is not there."""

    code = "invalid_graph"


class InvalidCrew(InvalidInput):
    """A crew file or a crew definition that cannot be used."""

    code = "invalid_crew"


class InvalidPlan(InvalidInput):
    """A plan that the checker refuses; the message names the task and the mend."""

    code = "invalid_plan"


class Unreachable(InvalidPlan):
    """A goal that no tool of the crew leads to, or wishes that exclude each other; the message names what is nearest."""

    code = "unreachable"


class InvalidRequest(InvalidInput):
    """A request that is empty, too large or malformed."""

    code = "invalid_request"


class InvalidSchema(InvalidRequest):
    """A JSON schema, pattern or grammar that no engine could follow; the message says where it is wrong."""

    code = "invalid_schema"


class NotFound(InvalidInput):
    """A run, a thread or a name that does not exist."""

    http_status = 404
    code = "not_found"


class EngineError(CrewgraphError):
    """The model engine is missing, will not start, or does not answer."""

    exit_code = 2
    http_status = 503
    code = "engine_unavailable"


class ModelError(EngineError):
    """The engine answered, and the answer cannot be used (see EngineError: it did not answer)."""

    http_status = 502
    code = "model_error"


class EngineUnreachable(EngineError):
    """Nothing answers at the engine's address, or it closed the connection before its answer began."""

    code = "engine_unreachable"


class EngineBusy(EngineError):
    """The engine, or a limit that was set for it, takes no more requests now; `retry_after_s` where it is known."""

    http_status = 429
    code = "engine_busy"

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineTimeout(EngineError):
    """The reply was not whole within the seconds that the call had; the engine has been told to stop."""

    http_status = 504
    code = "engine_timeout"


class StreamBroken(EngineError):
    """A reply broke off in the middle (see EngineUnreachable: it never began)."""

    http_status = 502
    code = "stream_broken"


class KeyRefused(EngineError):
    """The engine wants a key, and the one it was given is missing or wrong."""

    code = "key_refused"


class UnknownModel(EngineError):
    """The engine serves no model, or has no adapter, of that name."""

    http_status = 404
    code = "unknown_model"


class NotAnEngine(EngineError):
    """What answers at the address speaks something other than a protocol of model engines."""

    code = "not_an_engine"


class ReplyTruncated(ModelError):
    """A reply that must have a form ran out of tokens before it had it; `reply` is what there is of it."""

    code = "reply_truncated"

    def __init__(self, message: str, reply: object = None) -> None:
        super().__init__(message)
        self.reply = reply


class ContextTooLong(ModelError):
    """Prompt and reply do not fit the model's window; `over` is by how many tokens, where that is known."""

    http_status = 400
    code = "context_too_long"

    def __init__(self, message: str, over: int | None = None) -> None:
        super().__init__(message)
        self.over = over


class StoreError(CrewgraphError):
    """The database cannot be opened, read or written."""

    exit_code = 2
    code = "store_error"


class StoreCorrupt(StoreError):
    """The database file was damaged; it has been set aside, never overwritten."""

    code = "store_corrupt"


class JournalTampered(StoreError):
    """An event was changed, added or taken out after it was written; the hash chain says where."""

    code = "journal_tampered"


class ClaimLost(StoreError):
    """Another process has taken this run over; this one stops before its next effect."""

    code = "claim_lost"


class ToolError(CrewgraphError):
    """A tool was called rightly and failed (see ToolArgumentError: it was called wrongly)."""

    code = "tool_failed"


class ToolArgumentError(ToolError):
    """A tool was called with wrong arguments; the message is the correction to give back to the model."""

    exit_code = 2
    http_status = 400
    code = "tool_arguments"


class TaskFailed(CrewgraphError):
    """A task ended without a result, so the run has no answer; finished tasks keep theirs.

    Where a whole graph could not be carried out, `failures` are the errors of the tasks that failed themselves and
    `results` those of the ones that are done, by id; `tasks` are all that there were, those added meanwhile among them.
    """

    code = "task_failed"
    failures: Mapping[str, Exception] = MappingProxyType({})
    results: Mapping[str, TaskResult] = MappingProxyType({})
    tasks: Sequence[Task] = ()


class Surprise(TaskFailed):
    """A task has done its work, and the result is not what the plan took for granted of it."""

    code = "surprise"


class Rejected(CrewgraphError):
    """A person was asked, and said no."""

    http_status = 403
    code = "rejected"


class RunWaiting(CrewgraphError):
    """A person has to answer before the run goes on; nothing is held meanwhile (see `Suspended`: one task waits)."""

    exit_code = 4
    http_status = 202
    code = "waiting"


class BudgetExceeded(CrewgraphError):
    """A run, task or tenant used up its tokens, seconds, money or tool calls; what was finished is kept.

    `of` says whose budget it was: "run", "task ID" or "tenant NAME". That of a task ends only the task.
    """

    exit_code = 3
    http_status = 429
    code = "budget_exceeded"

    def __init__(self, message: str, of: str = "run") -> None:
        super().__init__(message)
        self.of = of


class StepInDoubt(CrewgraphError):
    """A `once` effect was begun and its outcome is unknown; it is not run again unasked (see `RunWaiting`)."""

    exit_code = 4
    http_status = 202
    code = "step_in_doubt"


class ReplayDiverged(CrewgraphError):
    """During a replay the code asked for a step that the journal does not hold.

    `place` is when, and as which event, the journal has what should have come instead: of several, the first counts.
    `step` is the task and the name of the step, where one is asked for that is not held; `held` are the inputs of
    the likest step of that name in the journal, `asked` those it is asked for with now.
    """

    code = "replay_diverged"
    step: tuple[str, str] | None = None
    held: object = None
    asked: object = None

    def __init__(self, message: str, place: tuple[float, int] = (float("inf"), 0)) -> None:
        super().__init__(message)
        self.place = place


class Suspended(BaseException):
    """Control signal: this task waits for a person's answer to `key`, and its worker is left.

    Not an `Exception`, so that agents' error handling does not swallow it. The scheduler turns it into
    `RunWaiting` (the failure's name) when nothing else is left to do.
    """

    def __init__(self, key: str, question: str) -> None:
        super().__init__(question)
        self.key = key
        self.question = question
