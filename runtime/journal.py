"""Journal: everything that has happened in one run, in order, and what a later sitting looks up in it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import JsonValue

from .budget import Cost
from .errors import NotFound, StepInDoubt
from .events import Event, Noted, RunResumed, RunStarted, StepErred, StepFinished, TaskFinished, TaskStarted
from .row import EventRow, decode, encode
from .steps import StepIndex

if TYPE_CHECKING:
    from .store import RunRecord

Sink = Callable[[EventRow, Event], Awaitable[None]]
"""Stores one row and returns when it is safe."""


class Journal:
    """The journal of one run.

    `rows` are what earlier sittings wrote. Without a `sink` the journal lives in memory only. A `read_only`
    journal takes no events: a replay reads it. Use it as ``async with`` or call `aclose`, so that the run's
    claim is given back.
    """

    def __init__(
        self,
        run_id: str,
        rows: Iterable[EventRow] = (),
        *,
        sink: Sink | None = None,
        release: Callable[[], Awaitable[None]] | None = None,
        record: RunRecord | None = None,
        read_only: bool = False,
    ) -> None:
        self.run_id = run_id
        self.record = record
        """The run as it was when the journal was opened, where a store keeps it."""
        self.read_only = read_only
        self.steps = StepIndex(replay=read_only)
        self.spent = Cost()
        """What all finished steps together have used."""
        self.seconds = 0.0
        """Seconds of work in earlier sittings."""
        self._task_costs: dict[str, Cost] = {}
        self._finished_tasks: dict[str, EventRow] = {}
        self._notes: Counter[tuple[str, str]] = Counter()
        self._seq = 0
        self._just_resumed = False
        self._sink = sink
        self._release = release
        self._load(list(rows))

    async def append(self, event: Event) -> None:
        """Write one event; returns when it is safe against a crash of this process.

        A store that opens a run to carry it on has already written `RunResumed`; it is not written twice.

        Raises:
            StoreError: it could not be written.
        """
        if self.read_only:
            if isinstance(event, TaskStarted):
                self.steps.rewind(event.task_id)
            return
        if isinstance(event, RunResumed) and self._just_resumed:
            return
        self._just_resumed = isinstance(event, RunResumed)
        self._seq += 1
        row = encode(self._seq, event)
        if isinstance(event, StepFinished):
            self._charge(event.task_id, event.tokens, event.tool_calls)
        self._note_end(row)
        self.steps.record(row)
        if self._sink is not None:
            await self._sink(row, event)

    def seen_note(self, note: Noted) -> bool:
        """Whether an earlier sitting wrote this very note; each of its notes is matched once."""
        mark = (note.task_id, note.text)
        if self._notes[mark] <= 0:
            return False
        self._notes[mark] -= 1
        return True

    def finished_task(self, task_id: str) -> TaskFinished | None:
        """How a task ended, if it has."""
        row = self._finished_tasks.get(task_id)
        return cast(TaskFinished, decode(row)) if row is not None else None

    def task_cost(self, task_id: str) -> Cost:
        """What the finished steps of one task have used."""
        return self._task_costs.get(task_id, Cost())

    @property
    def finished_steps(self) -> int:
        """How many steps have a result."""
        return self.steps.finished

    async def settle(self, key: str, *, happened: bool, output: JsonValue = None) -> None:
        """Say what became of a step in doubt: it happened and gave `output`, or it did not and may run.

        Raises:
            NotFound: no step with this key is in doubt.
        """
        step = self.steps.find(key)
        if step is None or not step.begun or step.intent is None:
            raise NotFound(f"Run {self.run_id} has no step {key!r} in doubt.")
        name = str(json.loads(step.intent.body)["name"])
        now = time.time()
        event = (
            StepFinished(at=now, task_id=step.task_id, name=name, key=key, output=output)
            if happened
            else StepErred(
                at=now,
                task_id=step.task_id,
                name=name,
                key=key,
                error="It did not happen.",
                code=StepInDoubt.code,
            )
        )
        await self.append(event)
        step.read = 0 if happened else len(step.outcomes)

    async def aclose(self) -> None:
        """Give the run back, so that another process may carry it on."""
        release, self._release = self._release, None
        if release is not None:
            await release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _load(self, rows: list[EventRow]) -> None:
        began = last = 0.0
        for row in rows:
            if row.kind in _SITTINGS:
                self.seconds += last - began
                began = row.at
            elif not began:
                began = row.at
            last = max(row.at, began)
        self.seconds += last - began
        self.steps.load(self._recorded(rows))
        for row in rows:
            if row.kind == "noted":
                self._notes[row.task_id, json.loads(row.body)["text"]] += 1

    def _recorded(self, rows: list[EventRow]) -> Iterator[EventRow]:
        for row in rows:
            self._seq = row.seq
            if row.kind == "step_finished":
                fields: dict[str, Any] = json.loads(row.body)
                self._charge(row.task_id, fields.get("tokens", 0), fields.get("tool_calls", 0))
            self._note_end(row)
            yield row

    def _charge(self, task_id: str, tokens: int, tool_calls: int) -> None:
        if tokens or tool_calls:
            cost = Cost(tokens, tool_calls)
            self.spent += cost
            self._task_costs[task_id] = self._task_costs.get(task_id, Cost()) + cost

    def _note_end(self, row: EventRow) -> None:
        if row.kind == "task_finished":
            self._finished_tasks[row.task_id] = row
        elif row.kind == "task_erred":
            self._finished_tasks.pop(row.task_id, None)


_SITTINGS = frozenset(str(model.model_fields["kind"].default) for model in (RunStarted, RunResumed))
"""Events that begin a sitting: the time before them, back to the last event, was a pause."""
