"""StepIndex: which steps of a run have begun, which are over, and which key the next one has.

A step's key is a hash of its task, its name and its inputs, with an ordinal only among identical ones; never
of its position or of the order in which steps began. So tasks may run side by side, finish in any order and
be resumed in another, and each step still finds its own result.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from ..stepping.doubt import OUTCOME_UNKNOWN
from .row import EventRow, Packed, fields, packed, unpacked

_RUN_SIGNALS = frozenset(
    {"budget_exceeded", "step_in_doubt", "store_error", "store_corrupt", "claim_lost", OUTCOME_UNKNOWN}
)
"""Errors that stopped the run rather than the step, or say nothing of it: no outcomes of the step."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(slots=True, eq=False)
class Step:
    """One step: its outcomes in the order they came (an error that was retried, then the result)."""

    key: str
    base: str
    ordinal: int
    task_id: str
    outcomes: list[EventRow] = field(default_factory=list)
    intent: EventRow | None = None
    begun: bool = False
    """An intent without an outcome: the effect may or may not have happened."""
    read: int = 0
    """How many outcomes the code has been given so far."""

    def next_outcome(self) -> EventRow | None:
        """The recorded outcome that the code has not been given yet, or None: it has to be run."""
        if self.read < len(self.outcomes):
            self.read += 1
            return self.outcomes[self.read - 1]
        return None


class _Ordinals:
    """Hands out the smallest ordinal that no identical step holds."""

    __slots__ = ("freed", "next")

    def __init__(self) -> None:
        self.next = 0
        self.freed: list[int] = []

    def peek(self) -> int:
        return self.freed[0] if self.freed else self.next

    def take(self) -> int:
        if self.freed:
            return heapq.heappop(self.freed)
        self.next += 1
        return self.next - 1


class _OfTask:
    """What is known of one task's steps, in the order in which they began."""

    __slots__ = ("failed", "last_intent", "ordinals", "steps")

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.ordinals: dict[str, _Ordinals] = {}
        self.last_intent = 0
        self.failed = False
        """Whether the task ended without a result, and has not begun again."""


def base_key(task_id: str, name: str, inputs: JsonValue) -> str:
    """Hash of what makes a step itself: 128 bits in hex."""
    text = _canonical([task_id, name, inputs])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _key(base: str, ordinal: int) -> str:
    return f"{base}-{ordinal}" if ordinal else base


class StepIndex:
    """The steps of one run, filled from its journal when it is opened and kept up while it runs."""

    __slots__ = ("_over", "_replay", "_steps", "_tasks", "finished")

    def __init__(self, *, replay: bool = False) -> None:
        self.finished = 0
        self._replay = replay
        self._steps: dict[str, Step] = {}
        self._tasks: dict[str, _OfTask] = {}
        self._over: dict[str, Packed] = {}
        """The results of finished tasks' steps, for the case that such a task begins again."""

    def load(self, rows: Iterable[EventRow]) -> None:
        """Take in the journal of earlier sittings, and stand at its beginning again."""
        for row in rows:
            self.record(row)
        for task_id in [task_id for task_id, task in self._tasks.items() if task.steps]:
            if self._replay:
                self.rewind(task_id)
            else:
                self._begin(task_id)

    def record(self, row: EventRow) -> None:
        """Take in one event, live or from the journal."""
        match row.kind:
            case "step_intended" | "asked":
                step = self._step(row)
                step.intent, step.begun = row, True
                self._of(row.task_id).last_intent = row.seq
            case "step_finished" | "answered":
                step = self._step(row)
                step.begun = False
                if not self._replay:
                    step.intent = None
                step.outcomes.append(row)
                step.read = len(step.outcomes)
                self.finished += 1
            case "step_erred":
                step = self._step(row)
                code = fields(row).get("code")
                step.begun = code == OUTCOME_UNKNOWN
                if code not in _RUN_SIGNALS:
                    step.outcomes.append(row)
                step.read = len(step.outcomes)
            case "task_started" | "task_retried":
                self._begin(row.task_id)
            case "run_started" | "run_resumed":
                self._begin("")
            case "task_finished":
                self._put_away(row.task_id)
            case "task_erred":
                self._of(row.task_id).failed = True
            case "run_erred":
                self._of("").failed = True
            case _:
                pass

    def _put_away(self, task_id: str) -> None:
        """A task is over: keep of its steps no more than their results, where that is all there is to keep."""
        task = self._tasks.get(task_id)
        if self._replay or task is None or not task.steps or task.failed or task_id in self._over:
            return
        if all(
            len(step.outcomes) == 1 and not step.begun and not _is_error(step.outcomes[0])
            for step in task.steps
        ):
            self._over[task_id] = packed(step.outcomes[0] for step in task.steps)
            del self._tasks[task_id]
            for step in task.steps:
                del self._steps[step.key]

    def _take_out(self, task_id: str) -> None:
        """A task that was over is asked about again."""
        for row in unpacked(self._over.pop(task_id, ())):
            step = self._step(row)
            step.outcomes.append(row)

    def rewind(self, task_id: str) -> None:
        """Read the task's steps from their beginning again."""
        if (task := self._tasks.get(task_id)) is not None:
            for step in task.steps:
                step.read = 0
            task.ordinals.clear()

    def _begin(self, task_id: str) -> None:
        """The task starts, or starts again: what it finished is read back.

        An error that it handled and went on from is kept, and given to it again so that it takes the same
        way. One that ended the task, or was the last thing it did, is forgotten: that step may be retried.
        """
        if task_id in self._over:
            self._take_out(task_id)
        if (task := self._tasks.get(task_id)) is None:
            return
        all_of_them, task.failed = task.failed, False
        for step in task.steps:
            if any(map(_is_error, step.outcomes)):
                step.outcomes = [
                    row
                    for row in step.outcomes
                    if not _is_error(row) or (row.seq < task.last_intent and not all_of_them)
                ]
        self.rewind(task_id)

    def take(self, task_id: str, name: str, inputs: JsonValue) -> Step:
        """The step that this call is. `release` it when it failed, so that a retry is the same step."""
        if task_id in self._over:
            self._take_out(task_id)
        base = base_key(task_id, name, inputs)
        held = self._of(task_id).ordinals
        ordinals = held.get(base)
        if ordinals is None:
            ordinals = held[base] = _Ordinals()
        ordinal = ordinals.take()
        return self._get(_key(base, ordinal), base, ordinal, task_id)

    def release(self, step: Step) -> None:
        """The step failed: the next identical call is a retry of it, under the same key."""
        task = self._tasks.get(step.task_id)
        ordinals = task.ordinals.get(step.base) if task is not None else None
        if ordinals is not None and step.ordinal < ordinals.next:
            heapq.heappush(ordinals.freed, step.ordinal)

    def next_key(self, task_id: str, name: str, inputs: JsonValue) -> str:
        """The key that the next such step will have."""
        if task_id in self._over:
            self._take_out(task_id)
        base = base_key(task_id, name, inputs)
        task = self._tasks.get(task_id)
        ordinals = task.ordinals.get(base) if task is not None else None
        return _key(base, ordinals.peek() if ordinals else 0)

    def find(self, key: str) -> Step | None:
        """The step with this key, if it has ever begun."""
        return self._steps.get(key)

    def known(self, task_id: str) -> Iterator[tuple[Step, EventRow]]:
        """The recorded steps of a task, in the order they began, each with the row that describes it."""
        if task_id in self._over:
            self._take_out(task_id)
        task = self._tasks.get(task_id)
        for step in task.steps if task is not None else ():
            if (row := step.intent or next(iter(step.outcomes), None)) is not None:
                yield step, row

    def _step(self, row: EventRow) -> Step:
        if row.task_id in self._over and row.key not in self._steps:
            self._take_out(row.task_id)
        base, _, ordinal = row.key.partition("-")
        return self._get(row.key, base, int(ordinal or 0), row.task_id)

    def _get(self, key: str, base: str, ordinal: int, task_id: str) -> Step:
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = Step(key, base, ordinal, task_id)
            self._of(task_id).steps.append(step)
        return step

    def _of(self, task_id: str) -> _OfTask:
        task = self._tasks.get(task_id)
        if task is None:
            task = self._tasks[task_id] = _OfTask()
        return task


def _is_error(row: EventRow) -> bool:
    return row.kind == "step_erred"
