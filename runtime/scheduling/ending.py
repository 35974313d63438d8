"""Ending: what a run that did not get all its results says of itself, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import CrewgraphError, Rejected, RunWaiting, StepInDoubt, TaskFailed
from ..graph import TaskResult
from .outcome import said


class Settled(NamedTuple):
    """What has come of tasks: the results, and in a sentence each what failed, by task id."""

    results: Mapping[str, TaskResult]
    failures: Mapping[str, str]


def ending(
    run_id: str,
    *,
    failures: Mapping[str, Exception],
    held_up: Sequence[BaseException],
    planning: Exception | None,
    skipped: int,
    finished: int,
) -> Exception | None:
    """What to raise at the end; None where nothing is missing.

    Doubt comes first, for nothing else may be done about it but to find out; then failures, then questions.
    `held_up` are the doubts and questions that tasks wait for, `planning` how the planner broke off.
    """
    for error in (*held_up, *failures.values()):
        if isinstance(error, StepInDoubt):
            return error
    kept = f"The {finished} finished task{' is' if finished == 1 else 's are'} kept"
    waiting = [error for error in held_up if not isinstance(error, StepInDoubt)]
    asks = f" {_questions(waiting)} for an answer as well." if waiting else ""
    if planning is not None:
        return _planning(planning, kept)
    if failures:
        task_id, error = next(iter(failures.items()))
        others = len(failures) - 1
        more = f" ({others} more failed)" if others else ""
        after = f", and {skipped} that need it were skipped" if skipped else ""
        reason = said(error).rstrip(".")
        if all(isinstance(one, Rejected) for one in failures.values()):
            rejected = Rejected(f"Task {task_id!r} was rejected{more}{after}: {reason}. {kept}.{asks}")
            rejected.__cause__ = error
            return rejected
        failed = TaskFailed(
            f"Task {task_id!r} failed{more}{after}: {reason}. {kept}: resume the run to try again.{asks}"
        )
        failed.__cause__ = error
        failed.failures = dict(failures)
        return failed
    if waiting:
        return RunWaiting(
            f"{_questions(waiting)} for an answer, the first is: {str(waiting[0])!r}. "
            f"Answer with `crewgraph answer {run_id}`; {kept[0].lower()}{kept[1:]} until then."
        )
    return None


def _planning(error: Exception, kept: str) -> Exception:
    if isinstance(error, CrewgraphError):
        return error
    failed = TaskFailed(
        f"The planning broke off: {said(error).rstrip('.')}. {kept}: resume the run to try again."
    )
    failed.__cause__ = error
    return failed


def _questions(waiting: Sequence[BaseException]) -> str:
    return f"{len(waiting)} questions wait" if len(waiting) > 1 else "1 question waits"
