"""Journal: everything that has happened in one run, in order, and what a later sitting looks up in it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, Self, cast

from pydantic import JsonValue

from ..budget import Cost
from ..errors import NotFound, StepInDoubt, StoreError
from ..events import (
    Answer,
    Answered,
    Event,
    Noted,
    RunResumed,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
    TasksAdded,
    TaskStarted,
)
from .redaction import REDACTED, Redactor
from .row import EventRow, decode, encode, fields, link
from .steps import Step, StepIndex
from .tasks import TaskIndex

if TYPE_CHECKING:
    from ..store import RunRecord


class Sink(Protocol):
    """The way from one run's journal to its store.

    Rows are written in the order in which they are put. Once a row could not be written, every later one of this
    run fails with the same error, so that there is never a gap.
    """

    def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Awaitable[None] | None:
        """Hand over one row, at once. With `wait`, what is given back is done when the row is safe.

        Awaiting it raises `StoreError` when the row or one before it could not be written, and `ClaimLost` when
        another process has taken the run over.
        """
        ...

    @property
    def crowded(self) -> bool:
        """Whether so much, of this run or of others, is on its way that whoever can wait for it should."""
        ...

    async def flush(self) -> None:
        """Wait until every row that was put is safe. Raises as `put` does."""
        ...

    async def answers(self) -> list[tuple[str, float, Answer]]:
        """What people have answered to this run's questions: key, when it was asked, answer."""
        ...

    async def release(self) -> None:
        """Give the run back, so that another process may carry it on."""
        ...


class Journal:
    """The journal of one run.

    `rows` are what earlier sittings wrote, `elsewhere` what other processes wrote that carried its tasks. Without
    a `sink` the journal lives in memory only. A `read_only` journal takes no events: a replay reads it. Use it as
    ``async with`` or call `aclose`, so that the run's claim is given back.
    """

    __slots__ = (  # thousands of runs may be under way at once
        "_began", "_given_back", "_just_resumed", "_last", "_link", "_notes", "_secret", "_seq", "_sink", "_started",
        "_task_costs", "_tasks", "added", "charged", "end", "forked", "plans", "read_only", "record", "redactor",
        "run_id", "seconds", "spent", "steps", "stopped", "unsafe",
    )  # fmt: skip

    def __init__(
        self,
        run_id: str,
        rows: Iterable[EventRow] = (),
        *,
        elsewhere: Iterable[EventRow] = (),
        sink: Sink | None = None,
        record: RunRecord | None = None,
        read_only: bool = False,
        secret: bytes = b"",
    ) -> None:
        self.run_id = run_id
        self.record = record
        """The run as it was when the journal was opened, where a store keeps it."""
        self.read_only = read_only
        self.steps = StepIndex(replay=read_only)
        self.spent = _NOTHING
        """What all finished steps together have used."""
        self.seconds = 0.0
        """Seconds of work in earlier sittings."""
        self.charged = _NOTHING
        """What of `spent` was told by `charge`: it stands in other runs, which carried tasks of this one."""
        self.added: list[TasksAdded] = []
        """How the graph of the last plan has grown, in earlier sittings and in this one; in a replay, those of all plans."""
        self._task_costs: dict[str, Cost] = {}
        self.end: EventRow | None = None
        """The event with which the run came to rest, if it has not gone on since."""
        self.plans: list[EventRow] = []
        """The events with which plans were made, each in place of the one before."""
        self.forked = False
        """Whether this run goes on from another one."""
        self.stopped = False
        """Whether a replay has come to where its run ended in the middle of a task."""
        self._tasks = TaskIndex(replay=read_only)
        self._notes: dict[tuple[str, str], int] = {}
        self._seq = 0
        self._link = b""
        self._secret = secret
        self._began = self._last = 0.0
        self._just_resumed = self._started = False
        self.redactor = _KNOWN_SHAPES
        """What takes secrets out of everything that is written."""
        self.unsafe = 0
        """Events written since somebody last waited for the store."""
        self._sink = sink
        self._given_back = False
        self._load(list(rows), list(elsewhere))

    def write(self, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
        """Hand one event to the store, in order, without waiting until it is safe.

        What happens outside must not rest on it before `flush`, or an `append` after it, has returned: rows become
        safe in order. With `wait`, awaiting what is given back is that.
        """
        if self.read_only:
            if isinstance(event, TaskStarted):
                self.steps.rewind(event.task_id)
            return None
        if isinstance(event, RunResumed) and self._just_resumed:
            return None
        if isinstance(event, RunStarted):
            if self._started:
                return None
            self._started = True
        self._just_resumed = isinstance(event, RunResumed)
        self._seq += 1
        if isinstance(event, StepIntended | StepFinished):  # whoever carries steps out has cleaned them
            row = encode(self._seq, event)
        else:
            row = encode(self._seq, event, self.redactor.text)
            if REDACTED in row.body:
                event = decode(row)
        self._link = link(self._link, row, self._secret)
        self._last = row.at
        self._began = self._began or row.at
        if isinstance(event, StepFinished):
            self._charge(event.task_id, Cost(event.tokens, event.tool_calls, event.money))
        elif isinstance(event, TasksAdded):
            self.added.append(event)
        self._note_end(row)
        self.steps.record(row)
        if self._sink is None:
            if self._given_back:
                raise StoreError(f"Run {self.run_id} has been given back: open it again to go on with it.")
            return None
        self.unsafe = 0 if wait else self.unsafe + 1
        return self._sink.put(self, row._replace(link=self._link), event, wait=wait)

    async def append(self, event: Event) -> None:
        """Write one event; returns when it is safe against a crash of this process.

        A store that opens a run to carry it on has already written `RunResumed`; it is not written twice. Nor is
        `RunStarted`, which a sitting says again that was not told whether an earlier one came so far.

        Raises:
            StoreError: it could not be written.
            ClaimLost: another process has taken the run over.
        """
        safe = self.write(event, wait=True)
        if safe is not None:
            await safe

    @property
    def crowded(self) -> bool:
        """Whether so much, of this run or of others, is on its way to the disk that a step should wait for it."""
        return self.unsafe >= _UNSAFE_AT_MOST or (self._sink is not None and self._sink.crowded)

    async def flush(self) -> None:
        """Wait until everything written is safe. Raises as `append` does."""
        if self._sink is not None and not self.read_only:
            await self._sink.flush()

    async def take_answers(self) -> list[str]:
        """Take in what people have answered meanwhile; the keys of the questions that are answered now."""
        if self._sink is None or self.read_only:
            return []
        taken: list[str] = []
        for key, asked, answer in await self._sink.answers():
            step = self.steps.find(key)
            if step is None or not step.begun or step.intent is None or step.intent.at != asked:
                continue
            if step.intent.kind == "asked":
                event = Answered(
                    at=time.time(),
                    task_id=step.task_id,
                    key=key,
                    name=str(fields(step.intent).get("name", "ask")),
                    answer=answer,
                )
                await self._come_out(step, event)
            else:
                await self.settle(key, happened=answer.decision != "reject", output=answer.value)
            taken.append(key)
        return taken

    def seen_note(self, note: Noted) -> bool:
        """Whether an earlier sitting wrote this very note; each of its notes is matched once."""
        mark = (note.task_id, note.text)
        left = self._notes.get(mark, 0)
        if left <= 0:
            return False
        self._notes[mark] = left - 1
        return True

    def finished_task(self, task_id: str) -> TaskFinished | None:
        """How a task ended, if it has."""
        row = self._tasks.finished(task_id)
        return cast(TaskFinished, decode(row)) if row is not None else None

    def start_of_task(self, task_id: str) -> EventRow | None:
        """The event with which a task last began, if it has."""
        return self._tasks.started(task_id)

    def failed_task(self, task_id: str) -> EventRow | None:
        """The event with which a task failed for good, if that was its end."""
        return self._tasks.failed(task_id)

    def end_of_task(self, task_id: str) -> EventRow | None:
        """The event with which a task ended, if it has."""
        return self._tasks.finished(task_id) or self._tasks.failed(task_id)

    def failed_attempts(self, task_id: str) -> int:
        """How often the task has failed and was to be tried again, since it last ended."""
        return self._tasks.attempts(task_id)

    def retry_due(self, task_id: str) -> float:
        """When the next attempt of a task that failed is due, in seconds since the epoch; 0.0 where none is."""
        return self._tasks.retry_due(task_id)

    def task_cost(self, task_id: str) -> Cost:
        """What the finished steps of one task have used."""
        return self._task_costs.get(task_id, _NOTHING)

    def charge(self, task_id: str, total: Cost) -> Cost:
        """Count what a task has used elsewhere: `total` is all of it, and the part that was not known is given back."""
        new = total - self.task_cost(task_id)
        self._charge(task_id, new)
        self.charged += new
        return new

    @property
    def finished_steps(self) -> int:
        """How many steps have a result."""
        return self.steps.finished

    @property
    def worked(self) -> float:
        """Seconds of work in all sittings, up to the last event."""
        return self.seconds + max(0.0, self._last - self._began)

    async def settle(self, key: str, *, happened: bool, output: JsonValue = None) -> None:
        """Say what became of a step in doubt: it happened and gave `output`, or it did not and may run.

        Raises:
            NotFound: no step with this key is in doubt.
        """
        step = self.steps.find(key)
        if step is None or not step.begun or step.intent is None:
            raise NotFound(f"Run {self.run_id} has no step {key!r} in doubt.")
        name = str(fields(step.intent)["name"])
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
        await self._come_out(step, event)

    async def _come_out(self, step: Step, event: Event) -> None:
        """Write how a step came out. Whoever asks for it from now on, also before this is safe, is still to be told."""
        told = step.read
        safe = self.write(event, wait=True)
        step.read = told
        if safe is not None:
            await safe

    async def aclose(self) -> None:
        """Give the run back, so that another process may carry it on."""
        sink, self._sink = self._sink, None
        if sink is not None:
            self._given_back = True
            await sink.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _load(self, rows: list[EventRow], elsewhere: list[EventRow]) -> None:
        began = last = 0.0
        own = _own_from(rows)
        for row in rows[own:]:
            if row.kind in _SITTINGS:
                self.seconds += last - began
                began = row.at
            elif not began:
                began = row.at
            last = max(row.at, began)
        self.seconds += last - began
        if rows:
            self._seq, self._link = rows[-1].seq, rows[-1].link
            self._started = any(row.kind == "run_started" for row in rows)
        self.steps.load(self._recorded(rows[:own], charged=False))
        self.steps.load(self._recorded([*rows[own:], *elsewhere]))
        for row in rows:
            if row.kind == "noted":
                mark = (row.task_id, fields(row)["text"])
                self._notes[mark] = self._notes.get(mark, 0) + 1
            elif row.kind == "tasks_added":
                self.added.append(cast(TasksAdded, decode(row)))

    def _recorded(self, rows: list[EventRow], *, charged: bool = True) -> Iterator[EventRow]:
        for row in rows:
            if charged and row.kind == "step_finished":
                self._charge_row(row)
            self._note_end(row)
            yield row

    def _charge_row(self, row: EventRow) -> None:
        if '"tokens"' in row.body or '"tool_calls"' in row.body or '"money"' in row.body:
            held = fields(row)
            self._charge(
                row.task_id,
                Cost(held.get("tokens", 0), held.get("tool_calls", 0), held.get("money", 0.0)),
            )

    def _charge(self, task_id: str, cost: Cost) -> None:
        if cost != _NOTHING:
            self.spent += cost
            self._task_costs[task_id] = self._task_costs.get(task_id, _NOTHING) + cost

    def _note_end(self, row: EventRow) -> None:
        self._tasks.record(row)
        match row.kind:
            case "run_finished" | "run_erred" | "run_cancelled" | "run_paused":
                self.end = row
            case "run_resumed":
                self.end = None
            case "plan_made":
                self.plans.append(row)
                if not self.read_only:  # a later plan holds what is to be kept of the tasks that were added
                    self.added.clear()
            case "run_forked":
                self.forked = True
            case _:
                pass


def _own_from(rows: list[EventRow]) -> int:
    """From which row on a run is its own: a fork begins with what another run has done, spent and waited for."""
    forked = next((place for place in reversed(range(len(rows))) if rows[place].kind == "run_forked"), None)
    if forked is None:
        return 0
    later = range(forked, len(rows))
    return next((place for place in later if rows[place].kind == "run_resumed"), len(rows))


_NOTHING = Cost()
_UNSAFE_AT_MOST = 512
"""Events of one run that may be on their way: a fast loop must not outrun the disk."""
_KNOWN_SHAPES = Redactor()
_SITTINGS = frozenset(str(model.model_fields["kind"].default) for model in (RunStarted, RunResumed))
"""Events that begin a sitting: the time before them, back to the last event, was a pause."""
