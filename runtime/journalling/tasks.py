"""TaskIndex: which tasks of a run have ended, and how; how often one failed, and when it is to be tried again."""

from __future__ import annotations

from dataclasses import dataclass

from .row import EventRow, Packed, fields, packed, unpacked


@dataclass(slots=True)
class _Trouble:
    """What went wrong with a task: how it failed for good, how often it was to be tried again, when that is due."""

    failed: EventRow | None = None
    attempts: int = 0
    due: float = 0.0


_NONE = _Trouble()


class TaskIndex:
    """The tasks of one run, filled from its journal when it is opened and kept up while it runs."""

    __slots__ = ("_finished", "_replay", "_started", "_troubles")

    def __init__(self, *, replay: bool = False) -> None:
        self._replay = replay
        self._started: dict[str, EventRow] = {}
        self._finished: dict[str, Packed] = {}
        self._troubles: dict[str, _Trouble] = {}

    def record(self, row: EventRow) -> None:
        """Take in one event, live or from the journal."""
        task_id = row.task_id
        match row.kind:
            case "task_started":
                if self._replay:  # only a replay asks when a task began
                    self._started[task_id] = row
                if (trouble := self._troubles.get(task_id)) is not None:
                    trouble.failed = None
            case "task_finished":
                self._finished[task_id] = (row,) if self._replay else packed([row])
                if (trouble := self._troubles.get(task_id)) is not None:
                    trouble.failed, trouble.attempts = None, 0
            case "task_erred":
                self._finished.pop(task_id, None)
                trouble = self._troubles.setdefault(task_id, _Trouble())
                trouble.failed, trouble.attempts = row, 0
            case "task_retried":
                trouble = self._troubles.setdefault(task_id, _Trouble())
                trouble.attempts += 1
                trouble.due = row.at + fields(row).get("wait", 0.0)
            case _:
                pass

    def started(self, task_id: str) -> EventRow | None:
        """The event with which a task last began; known in a replay only."""
        return self._started.get(task_id)

    def finished(self, task_id: str) -> EventRow | None:
        """The event with which a task got its result, if it has."""
        kept = self._finished.get(task_id)
        return unpacked(kept)[0] if kept is not None else None

    def failed(self, task_id: str) -> EventRow | None:
        """The event with which a task failed for good, if that was its end."""
        return self._troubles.get(task_id, _NONE).failed

    def attempts(self, task_id: str) -> int:
        """How often the task has failed and was to be tried again, since it last ended."""
        return self._troubles.get(task_id, _NONE).attempts

    def retry_due(self, task_id: str) -> float:
        """When the next attempt of a task that failed is due, in seconds since the epoch; 0.0 where none is."""
        return self._troubles.get(task_id, _NONE).due
