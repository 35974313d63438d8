"""RunContext: what a task may touch of its run. Every effect goes through `step`, and so is journalled.

Inputs and results of steps are kept as they are given, in plain JSON, for replays and for people to read. Known
shapes of secrets are taken out first (see `redaction`), but whoever calls `step` still leaves secrets out of
`inputs` and hands them to the function itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import JsonValue, TypeAdapter

from .budget import NO_DEADLINE, Budget, Cost, Meter
from .errors import InvalidGraph, Suspended
from .events import (
    Answer,
    Answered,
    Asked,
    Decision,
    Effect,
    Event,
    Noted,
    StepErred,
    StepFinished,
    TaskFinished,
    TasksAdded,
    TextDelta,
)
from .graph import Task, TaskResult
from .journalling.journal import Journal
from .journalling.redaction import Redactor
from .journalling.row import EventRow, decode, fields, jsonable
from .journalling.steps import Step, base_key
from .policy import Allowance
from .reading.unrecorded import unrecorded
from .stepping.doubt import DidNotHappen, Happened, Reconcile, StillUnknown
from .stepping.lanes import Lanes
from .stepping.live_step import LiveStep
from .stepping.running import Growth, Listener, Running, timed
from .stepping.typed import adapter_of, from_json, recorded_error

__all__ = ["DidNotHappen", "Happened", "Listener", "RunContext", "StillUnknown"]

T = TypeVar("T")

_NOTHING = Cost()
_UNLIMITED = Budget()
_NO_RESULTS: Mapping[str, TaskResult] = MappingProxyType({})
_NO_LANES: Mapping[str, int | None] = MappingProxyType({})


class RunContext:
    """One run, seen from one of its tasks (`task_id` is "" during planning).

    `results` holds the results of the tasks that this one needs. `replaying` means that nothing is carried
    out: every step is read from the journal, and `emit` reaches listeners but is not stored. `tenant` is the meter
    of whoever the run is for, shared by their runs; `lanes` are limits on steps, which runs may share too.
    """

    __slots__ = ("_meter", "_run", "results", "task_id")

    def __init__(
        self,
        journal: Journal,
        *,
        budget: Budget | None = None,
        listeners: Iterable[Listener] = (),
        tenant: Meter | None = None,
        lanes: Lanes | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        meter = Meter(budget or _UNLIMITED, within=tenant, spent=journal.spent, seconds=journal.seconds)
        if redactor is not None:
            journal.redactor = redactor
        self._run = Running(journal, meter, tuple(listeners), lanes or Lanes())
        self._meter = meter
        self.task_id = ""
        self.results: Mapping[str, TaskResult] = _NO_RESULTS

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._run.journal.run_id

    @property
    def replaying(self) -> bool:
        """Whether this run is only read back."""
        return self._run.journal.read_only

    @property
    def journal(self) -> Journal:
        """The run's journal."""
        return self._run.journal

    @property
    def meter(self) -> Meter:
        """What the run (in a task with an allowance: the task) has spent of its budget."""
        return self._meter

    @property
    def tenant(self) -> str:
        """Whom the run is for; "" where nobody is named."""
        record = self._run.journal.record
        return record.tenant if record is not None else ""

    @property
    def seconds_left(self) -> float:
        """How long the run's unfinished tasks will take, one after the other (`Task.expected_seconds`); 0 outside a graph."""
        left = self._run.seconds_left
        return left() if left is not None else 0.0

    @property
    def began(self) -> float:
        """When the run was begun, in seconds since the epoch; 0 where nobody knows."""
        return self._run.began

    def of_run_begun(self, at: float) -> None:
        """Count as part of a run that was begun then: a task that is carried elsewhere for it."""
        self._run.began = at

    @property
    def spent(self) -> Cost:
        """What this task has used so far, in all sittings; outside tasks, what the whole run has."""
        journal = self._run.journal
        return journal.task_cost(self.task_id) if self.task_id else journal.spent

    def for_task(
        self,
        task_id: str,
        results: Mapping[str, TaskResult] | None = None,
        *,
        allowance: Allowance | None = None,
    ) -> RunContext:
        """The same run, seen from another task, which may have an allowance of its own within the run's budget."""
        other = object.__new__(RunContext)
        other._run = self._run
        other._meter = self._run.meter
        if allowance is not None:
            spent = self._run.journal.task_cost(task_id)
            budget = Budget.of_task(allowance)
            other._meter = Meter(budget, of=f"task {task_id}", within=self._run.meter, spent=spent)
        other.task_id = task_id
        other.results = results if results is not None else _NO_RESULTS
        return other

    async def step(
        self,
        name: str,
        fn: Callable[[], Awaitable[T]],
        *,
        inputs: object,
        returns: type[T] | Any = JsonValue,
        effect: Effect = "read_only",
        cost: Callable[[T], Cost] | None = None,
        reserve: Cost = _NOTHING,
        lanes: Mapping[str, int | None] = _NO_LANES,
        reconcile: Reconcile | None = None,
    ) -> T:
        """Carry out one effect, or read back what came of it.

        The step is known by its task, `name` and `inputs` (anything JSON can say). What is given back is always
        the journalled result, read as `returns`, so that code sees the same live and in a replay. An error of
        `fn` is journalled and raised; calling the step again is then a retry under the same key.

        The intent is written before `fn` is called and the result before it is given back. For `idempotent` and
        `once` both are also safe on disk by then, and so is everything before them; a `read_only` step does not
        wait for the disk, since a crash that forgets it only makes it run again. A `once` effect that ended in
        anything but an error of ours may have happened: it is in doubt, and is never run again unasked.

        `cost` says what a result has used, `reserve` what the step will use at least (a tool call is
        ``Cost(tool_calls=1)``), `lanes` in which limited lanes it goes (see `Lanes`), `reconcile` how to find out
        whether a `once` effect in doubt has happened.

        Raises:
            BudgetExceeded: the run, task or tenant has used up its budget.
            StepInDoubt: a `once` effect was begun, and nobody knows whether it happened.
            ReplayDiverged: this is a replay, and the journal holds no such step.
            StoreError: the journal cannot be written.
            TypeError: `inputs` are not JSON, or the result is not what `returns` says.
        """
        data = self._inputs(name, inputs)
        journal = self._run.journal
        step = journal.steps.take(self.task_id, name, data)
        adapter = adapter_of(returns)
        if (row := step.next_outcome()) is not None:
            return cast(T, self._read_back(step, row, adapter))
        try:
            if journal.read_only:
                raise unrecorded(journal, self.task_id, name, data, step)
            live = LiveStep(
                self._run, self._meter, step, name, data, fn, adapter, effect, cost, reserve, lanes, reconcile
            )
            if step.begun and await live.settled():
                return cast(T, self._read_back(step, cast(EventRow, step.next_outcome()), adapter))
            output = await live.carry_out()
        except BaseException:
            # Failed or cancelled: the next identical call is a retry of this step, not another one.
            journal.steps.release(step)
            raise
        return cast(T, from_json(output, adapter))

    def step_key(self, name: str, inputs: object) -> str:
        """The key of a step, which stays the same when the step is retried or resumed.

        Called from the step's own function it is that step's key; before the step, the key it will have.
        """
        data = self._inputs(name, inputs)
        running = self._run.at_work.get(base_key(self.task_id, name, data))
        if not running:
            return self._run.journal.steps.next_key(self.task_id, name, data)
        mine = asyncio.current_task()
        return next((step.key for task, step in reversed(running) if task is mine), running[0][1].key)

    def idempotency_key(self, name: str, inputs: object) -> str:
        """What to give to an `idempotent` or `once` effect, so that the other side knows it again.

        It stays the same when the step is retried or resumed, wherever, and differs in every other run.
        """
        return f"{self._run.journal.run_id}/{self.step_key(name, inputs)}"

    async def ask(
        self,
        question: str,
        *,
        about: object = None,
        choices: Sequence[Decision] = ("approve", "edit", "reject"),
        name: str = "ask",
    ) -> Answer:
        """What a person says to this question; `about` is what they are shown beside it.

        While there is no answer, the task is left by `Suspended` and nothing is held: no process, no memory. When
        there is one, the task begins again, reads its steps back, and finds the answer here.

        Raises:
            Suspended: nobody has answered yet.
            ReplayDiverged: this is a replay, and the journal holds no such question.
        """
        data = self._inputs(name, {"question": question, "about": about})
        journal = self._run.journal
        step = journal.steps.take(self.task_id, name, data)
        row = step.next_outcome()
        if row is None and not journal.read_only:
            if not step.begun:
                await self.emit(
                    Asked(
                        task_id=self.task_id,
                        key=step.key,
                        name=name,
                        question=cast(dict[str, str], data)["question"],
                        about=cast(dict[str, JsonValue], data)["about"],
                        choices=tuple(choices),
                    )
                )
            await journal.take_answers()
            row = step.next_outcome()
        if row is None:
            if journal.read_only and not step.begun:
                raise unrecorded(journal, self.task_id, name, data, step)
            journal.steps.release(step)
            raise Suspended(step.key, question)
        event = cast(Answered, decode(row))
        self._run.publish(event)
        return event.answer

    async def add_tasks(self, tasks: Sequence[Task], *, then: Sequence[str] = ()) -> None:
        """Let the graph grow: these tasks are carried out too, and those named in `then` wait for them.

        Adding the same tasks again, after a resume or a retry, does nothing.

        Raises:
            InvalidGraph: a task id is taken by another task, a dependency is not there, the tasks would wait for
                each other, or a task in `then` has begun.
        """
        if self._run.grow is None:
            raise InvalidGraph(
                "Tasks can only be added while a graph is carried out: call add_tasks inside a task."
            )
        if self._run.grow(self.task_id, tuple(tasks), tuple(then)):
            self.write(TasksAdded(task_id=self.task_id, tasks=tuple(tasks), then=tuple(then)))

    def on_growth(self, grow: Growth | None, seconds_left: Callable[[], float] | None = None) -> None:
        """Who lays added tasks into the graph, and tells what is left: the scheduler, for as long as it runs."""
        self._run.grow = grow
        self._run.seconds_left = seconds_left

    async def emit(self, event: Event) -> None:
        """Journal an event, tell the listeners, and wait until it is safe, with everything before it.

        An event without a time (`at`) gets the present one.

        Raises:
            StoreError: the journal cannot be written.
        """
        event = timed(event)
        if not isinstance(event, TextDelta):
            await self._run.journal.append(event)
        self._run.publish(event)

    def write(self, event: Event) -> None:
        """Journal an event and tell the listeners, without waiting until it is safe: see `Journal.write`."""
        self._run.write(event)

    async def flush(self) -> None:
        """Wait until everything that was written is safe. Raises `StoreError` when it cannot be."""
        await self._run.journal.flush()

    def text(self, piece: str) -> None:
        """Show listeners a piece of text that a model has just written. Never stored."""
        if self._run.listeners:
            self._run.publish(TextDelta(at=time.time(), task_id=self.task_id, text=piece))

    async def note(self, text: str) -> None:
        """Say something that a person should know. A resumed task's notes are not written twice."""
        note = Noted(at=time.time(), task_id=self.task_id, text=text)
        if self._run.journal.seen_note(note):
            self._run.publish(note)
        else:
            self.write(note)

    async def now(self) -> float:
        """Seconds since the epoch, the same in a replay."""
        return cast(float, self._reading("now", time.time))

    async def random(self) -> float:
        """A random number from 0 up to 1, the same in a replay."""
        return cast(float, self._reading("random", random.random))

    async def frugal(self) -> bool:
        """Whether a soft limit is reached, so that the cheaper way should be gone; the same in a replay.

        Where there is no soft limit nothing is journalled, and what a replay does not find is no.
        """
        if not self.replaying and not self._meter.has_soft_limit:
            return False
        return cast(bool, self._reading("frugal", lambda: self._meter.low, missing=False))

    def deadline(self) -> AbstractAsyncContextManager[None]:
        """Stop what runs inside when the run's (in a task: also the task's) seconds are used up.

        Raises:
            BudgetExceeded: the seconds were used up.
        """
        return NO_DEADLINE if self.replaying else self._meter.deadline()

    def finished_task(self, task_id: str) -> TaskFinished | None:
        """How a task ended in this or an earlier sitting, if it has."""
        return self._run.journal.finished_task(task_id)

    def failed_attempts(self, task_id: str) -> int:
        """How often a task has failed and was to be tried again, since it last ended, in all sittings."""
        return self._run.journal.failed_attempts(task_id)

    def publish(self, event: Event) -> None:
        """Tell the listeners of an event that the journal already holds."""
        self._run.publish(event)

    def _inputs(self, name: str, inputs: object) -> JsonValue:
        try:
            return self._run.journal.redactor.value(jsonable(inputs))
        except TypeError as error:
            raise TypeError(f"The inputs of step {name!r} of task {self.task_id!r}: {error}") from None

    def _reading(self, name: str, read: Callable[[], JsonValue], *, missing: JsonValue = None) -> JsonValue:
        # Nothing happens outside, so there is no intent to keep, nothing to wait for and nothing to spend.
        journal = self._run.journal
        step = journal.steps.take(self.task_id, name, None)
        if (row := step.next_outcome()) is not None:
            return cast(JsonValue, fields(row).get("output"))
        if journal.read_only:
            if missing is not None:
                return missing
            raise unrecorded(journal, self.task_id, name, None, step)
        value = read()
        self.write(StepFinished(task_id=self.task_id, name=name, key=step.key, output=value))
        return value

    def _read_back(self, step: Step, row: EventRow, adapter: TypeAdapter[Any]) -> Any:
        event = decode(row)
        self._run.publish(event)
        if isinstance(event, StepErred):
            self._run.journal.steps.release(step)
            raise recorded_error(event)
        return from_json(cast(StepFinished, event).output, adapter)
