"""Telling: what happens to a task, as events of its run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..context import RunContext
from ..errors import ReplayDiverged
from ..events import Noted, TaskErred, TaskFinished, TaskRetried, TasksAdded, TaskSkipped, TaskStarted
from ..graph import Task, TaskResult
from ..reading.unrecorded import ends_otherwise, left_out, place_of
from .outcome import code_of, said
from .schedule import Skip

GIVEN = ""
"""The key of a result that a person gave in a fork: it holds whatever the task is given."""


class Teller:
    """Writes the events of tasks into one run's journal, in order and without waiting until they are safe."""

    __slots__ = ("_ctx",)

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def held(self, task_id: str, key: str) -> TaskResult | None:
        """The result of an earlier sitting, told again, where the task was given the same then."""
        ctx = self._ctx
        if ctx.replaying or (finished := ctx.finished_task(task_id)) is None:
            return None
        if finished.key in (key, GIVEN):
            ctx.publish(finished)
            return finished.result
        text = f"Task {task_id!r} is done again, for it is asked something else than before."
        note = Noted(at=time.time(), task_id=task_id, text=text)
        if ctx.journal.seen_note(note):
            ctx.publish(note)
        else:
            ctx.write(note)
        return None

    def is_given(self, task_id: str) -> bool:
        """Whether a person gave its result before it was begun: nobody is asked whether it may begin."""
        finished = None if self._ctx.replaying else self._ctx.finished_task(task_id)
        return finished is not None and finished.key == GIVEN

    def started(self, task_id: str) -> None:
        """It begins."""
        self._ctx.write(TaskStarted(at=time.time(), task_id=task_id))

    def finished(self, task_id: str, result: TaskResult, key: str, *, began: float, tokens: int) -> None:
        """It has its result; it `began` then (by `time.monotonic`).

        Raises:
            ReplayDiverged: this is a replay, and the journal holds another result, or steps that were left out.
        """
        ctx = self._ctx
        if ctx.replaying:
            diverged = left_out(ctx.journal, task_id)
            diverged = diverged or ends_otherwise(ctx.journal, task_id, _short(result), failed=False)
            if diverged is not None:
                raise diverged
        if ctx.replaying and (held := ctx.finished_task(task_id)) is not None and held.result != result:
            raise ReplayDiverged(
                f"Replay of run {ctx.run_id} diverged: task {task_id!r} read the same steps "
                f"and now gives {_short(result)} where the journal holds {_short(held.result)}.",
                place_of(ctx.journal, task_id),
            )
        seconds = round(time.monotonic() - began, 6)
        ctx.write(
            TaskFinished(
                at=time.time(), task_id=task_id, result=result, seconds=seconds, tokens=tokens, key=key
            )
        )

    def fails_otherwise(self, task_id: str, error: Exception) -> ReplayDiverged | None:
        """What to say instead where this is a replay, and the task did not fail then."""
        ctx = self._ctx
        return ends_otherwise(ctx.journal, task_id, said(error), failed=True) if ctx.replaying else None

    def erred(self, task_id: str, error: Exception) -> None:
        """It failed for good."""
        self._ctx.write(TaskErred(at=time.time(), task_id=task_id, error=said(error), code=code_of(error)))

    def retried(self, task_id: str, attempt: int, error: Exception, wait: float) -> None:
        """It failed, and is tried again after `wait` seconds."""
        self._ctx.write(
            TaskRetried(
                at=time.time(),
                task_id=task_id,
                attempt=attempt,
                error=said(error),
                code=code_of(error),
                wait=wait,
            )
        )

    def passed_over(self, task_id: str, comparison: str) -> None:
        """Its own condition is not met."""
        because = f"Its condition is not met: {comparison}."
        self._ctx.write(TaskSkipped(at=time.time(), task_id=task_id, because=because, reason="condition"))

    def skipped(self, skip: Skip) -> None:
        """It is not begun, because of another one."""
        match skip.reason:
            case "condition":
                because = f"It reads the result of {skip.cause!r}, which was passed over."
            case "rejected":
                because = f"It needs {skip.cause!r}, to which a person said no."
            case _:
                because = f"It needs {skip.cause!r}, which failed."
        self._ctx.write(
            TaskSkipped(at=time.time(), task_id=skip.task_id, because=because, reason=skip.reason)
        )

    def added(self, tasks: Sequence[Task]) -> None:
        """The planner gave these."""
        self._ctx.write(TasksAdded(at=time.time(), task_id="", tasks=tuple(tasks)))


def _short(result: TaskResult) -> str:
    text = repr(result.value if result.value is not None else result.text)
    return text if len(text) <= 60 else text[:59] + "…"
