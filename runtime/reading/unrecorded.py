"""Unrecorded: what a replay is told where the journal holds no outcome of a step that the code asks for.

Either the code has changed, or this is as far as it went: the task failed there, or the run ended while it went on.
"""

from __future__ import annotations

from pydantic import JsonValue

from ..errors import BudgetExceeded, ReplayDiverged, Suspended
from ..events import StepErred
from ..journalling.journal import Journal
from ..journalling.row import EventRow, fields
from ..journalling.steps import Step
from ..stepping.doubt import in_doubt
from ..stepping.typed import recorded_error
from .divergence import explain, likest

_NO_PLACE = (float("inf"), 0)


def unrecorded(journal: Journal, task_id: str, name: str, inputs: JsonValue, step: Step) -> BaseException:
    """What to raise for a step of a replay that has no outcome (any more).

    `ReplayDiverged` says that the code has changed. Where instead the task failed at this very point, it is that
    error again. Where the run ended at it, the task is left by `Suspended` and the others go on, so that all that is
    recorded has been read by the time the replay ends too: see `replay.to_its_end`.
    """
    if step.begun or not _unread(journal, task_id):
        if (erred := journal.failed_task(task_id)) is not None:
            return _again(erred, task_id)
        if _ended_at(journal, task_id, step):
            if step.begun and step.intent is not None and fields(step.intent).get("effect") == "once":
                return in_doubt(task_id, name, step.key)
            journal.stopped = True
            return Suspended(step.key, "The run ended here.")
    diverged = ReplayDiverged(explain(journal, task_id, name, inputs), place_of(journal, task_id))
    diverged.step, diverged.asked, diverged.held = (
        (task_id, name),
        inputs,
        likest(journal, task_id, name, inputs),
    )
    return diverged


def ends_otherwise(journal: Journal, task_id: str, now: str, *, failed: bool) -> ReplayDiverged | None:
    """What to raise where a task of a replay has its result, or failed, and then it was the other way round."""
    then = journal.finished_task(task_id) if failed else None
    erred = None if failed else journal.failed_task(task_id)
    if then is None and erred is None:
        return None
    held = (
        "a result" if then is not None else f"a failure ({fields(erred).get('error', '')})" if erred else ""
    )
    return ReplayDiverged(
        f"Replay of run {journal.run_id} diverged: task {task_id!r} read the same steps and now "
        f"{'fails' if failed else 'gives'} ({now}) where the journal holds {held}.",
        place_of(journal, task_id),
    )


def left_out(journal: Journal, task_id: str) -> ReplayDiverged | None:
    """What to raise where a task is over in a replay and its code did not ask for all that it did when it ran."""
    started = journal.start_of_task(task_id)
    if started is None:
        return None
    for step, row in journal.steps.known(task_id):
        # What stands before the last start may be of an attempt that went another way.
        begun = _begun(step, row)
        if step.read < len(step.outcomes) and begun > (started.at, started.seq):
            name = fields(row).get("name", "ask")
            return ReplayDiverged(
                f"Replay of run {journal.run_id} diverged: task {task_id!r} no longer asks for step {name!r} "
                f"({step.key}), which the journal holds.",
                begun,
            )
    return None


def place_of(journal: Journal, task_id: str) -> tuple[float, int]:
    """When the journal has what a task should have done next, for telling which of several divergences is first."""
    unread = [
        _begun(step, row) for step, row in journal.steps.known(task_id) if step.read < len(step.outcomes)
    ]
    if unread:
        return min(unread)
    over = journal.end_of_task(task_id)
    return (over.at, over.seq) if over is not None else _NO_PLACE


def ended(journal: Journal) -> EventRow | None:
    """The event with which the run ended without an answer, where it did."""
    end = journal.end
    return end if end is not None and end.kind != "run_finished" else None


def recorded_end(row: EventRow, task_id: str = "") -> Exception:
    """The error that this event of a task or run tells of, as it was raised then."""
    said = fields(row)
    event = StepErred(
        task_id=task_id, name="", key="", error=said.get("error", ""), code=said.get("code", "")
    )
    return recorded_error(event)


def _again(row: EventRow, task_id: str) -> Exception:
    error = recorded_end(row, task_id)
    if isinstance(error, BudgetExceeded):  # the task's own, or it would have been the run that ended
        error.of = f"task {task_id}"
    return error


def _ended_at(journal: Journal, task_id: str, step: Step) -> bool:
    """Whether the run ended while this task went on."""
    if ended(journal) is None or journal.end_of_task(task_id) is not None:
        return False
    return step.begun or bool(task_id) or not journal.plans


def _unread(journal: Journal, task_id: str) -> bool:
    return any(step.read < len(step.outcomes) for step, _ in journal.steps.known(task_id))


def _begun(step: Step, row: EventRow) -> tuple[float, int]:
    first = step.intent or row
    return first.at, first.seq
