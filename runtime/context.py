"""RunContext: what a task may touch of its run. Every effect goes through `step`, and so is journalled.

Inputs and results of steps are kept as they are given, in plain JSON, for replays and for people to read:
whoever calls `step` leaves secrets (keys, passwords, headers) out of `inputs` and hands them to the function
itself.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from .budget import Budget, Cost, Meter
from .divergence import explain
from .errors import CrewgraphError, ReplayDiverged, StepInDoubt
from .events import (
    Effect,
    Event,
    Noted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
    TextDelta,
)
from .graph import TaskResult
from .journal import Journal
from .row import EventRow, decode, jsonable
from .steps import Step, base_key

T = TypeVar("T")

Listener = Callable[[Event], None]
"""Is told of every event as it happens. Called on the event loop: it must return at once."""

_log = logging.getLogger(__name__)
_NOTHING = Cost()
_NO_RESULTS: Mapping[str, TaskResult] = MappingProxyType({})


class _Run:
    """What all contexts of one run share."""

    __slots__ = ("journal", "listeners", "meter", "running")

    def __init__(self, journal: Journal, meter: Meter, listeners: tuple[Listener, ...]) -> None:
        self.journal = journal
        self.meter = meter
        self.listeners = listeners
        self.running: dict[str, list[tuple[asyncio.Task[Any] | None, Step]]] = {}


class RunContext:
    """One run, seen from one of its tasks (`task_id` is "" during planning).

    `results` holds the results of the tasks that this one needs. `replaying` means that nothing is carried
    out: every step is read from the journal, and `emit` reaches listeners but is not stored.
    """

    def __init__(
        self, journal: Journal, *, budget: Budget | None = None, listeners: Iterable[Listener] = ()
    ) -> None:
        meter = Meter(budget or Budget(), spent=journal.spent, seconds=journal.seconds)
        self._run = _Run(journal, meter, tuple(listeners))
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
        """What the run has spent of its budget."""
        return self._run.meter

    @property
    def spent(self) -> Cost:
        """What this task has used so far, in all sittings; outside tasks, what the whole run has."""
        journal = self._run.journal
        return journal.task_cost(self.task_id) if self.task_id else journal.spent

    def for_task(self, task_id: str, results: Mapping[str, TaskResult] | None = None) -> RunContext:
        """The same run, seen from another task."""
        other = object.__new__(RunContext)
        other._run = self._run
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
    ) -> T:
        """Carry out one effect, or read back what came of it.

        The step is known by its task, `name` and `inputs` (anything JSON can say). The intent is safe before
        `fn` is called and the result before it is given back. What is given back is always the journalled
        result, read as `returns`, so that code sees the same live and in a replay. An error of `fn` is
        journalled and raised; calling the step again is then a retry under the same key. `cost` says what a
        result has used, `reserve` what the step will use at least (a tool call is ``Cost(tool_calls=1)``).

        Raises:
            BudgetExceeded: the run has used up its budget.
            StepInDoubt: a `once` effect was begun before a crash, and nobody knows whether it happened.
            ReplayDiverged: this is a replay, and the journal holds no such step.
            StoreError: the journal cannot be written.
            TypeError: `inputs` are not JSON, or the result is not what `returns` says.
        """
        try:
            data = jsonable(inputs)
        except TypeError as error:
            raise TypeError(f"The inputs of step {name!r} of task {self.task_id!r}: {error}") from None
        journal = self._run.journal
        step = journal.steps.take(self.task_id, name, data)
        adapter = _adapter(returns)
        if (row := step.next_outcome()) is not None:
            return cast(T, self._read_back(step, row, adapter))
        try:
            if journal.read_only:
                raise ReplayDiverged(explain(journal, self.task_id, name, data))
            self._refuse_doubt(step, name, effect)
            output = await self._live(step, name, data, fn, adapter, effect, cost, reserve)
        except BaseException:
            # Failed or cancelled: the next identical call is a retry of this step, not another one.
            journal.steps.release(step)
            raise
        return cast(T, _decoded(adapter, output))

    def step_key(self, name: str, inputs: object) -> str:
        """A key that stays the same when the step is retried or resumed: give it to an `idempotent` effect.

        Called from the step's own function it is that step's key; before the step, the key it will have.
        """
        data = jsonable(inputs)
        running = self._run.running.get(base_key(self.task_id, name, data))
        if not running:
            return self._run.journal.steps.next_key(self.task_id, name, data)
        mine = asyncio.current_task()
        return next((step.key for task, step in reversed(running) if task is mine), running[0][1].key)

    async def emit(self, event: Event) -> None:
        """Journal an event and tell the listeners. An event without a time (`at`) gets the present one.

        Raises:
            StoreError: the journal cannot be written.
        """
        if not event.at:
            event = event.model_copy(update={"at": time.time()})
        if not isinstance(event, TextDelta):
            await self._run.journal.append(event)
        self._publish(event)

    def text(self, piece: str) -> None:
        """Show listeners a piece of text that a model has just written. Never stored."""
        if self._run.listeners:
            self._publish(TextDelta(at=time.time(), task_id=self.task_id, text=piece))

    async def note(self, text: str) -> None:
        """Say something that a person should know. A resumed task's notes are not written twice."""
        note = Noted(at=time.time(), task_id=self.task_id, text=text)
        if self._run.journal.seen_note(note):
            self._publish(note)
        else:
            await self.emit(note)

    async def now(self) -> float:
        """Seconds since the epoch, the same in a replay."""
        return await self._reading("now", time.time)

    async def random(self) -> float:
        """A random number from 0 up to 1, the same in a replay."""
        return await self._reading("random", random.random)

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Stop what runs inside when the run's seconds are used up. Wrap the whole run in it.

        Raises:
            BudgetExceeded: the seconds were used up.
        """
        if self.replaying:
            yield
            return
        async with self._run.meter.deadline():
            yield

    def finished_task(self, task_id: str) -> TaskFinished | None:
        """How a task ended in this or an earlier sitting, if it has."""
        return self._run.journal.finished_task(task_id)

    def publish(self, event: Event) -> None:
        """Tell the listeners of an event that the journal already holds."""
        self._publish(event)

    async def _reading(self, name: str, read: Callable[[], float]) -> float:
        # Nothing happens outside, so there is no intent to keep and nothing to spend.
        journal = self._run.journal
        step = journal.steps.take(self.task_id, name, None)
        if (row := step.next_outcome()) is not None:
            return cast(float, cast(StepFinished, decode(row)).output)
        if journal.read_only:
            raise ReplayDiverged(explain(journal, self.task_id, name, None))
        value = read()
        await self.emit(StepFinished(task_id=self.task_id, name=name, key=step.key, output=value))
        return value

    async def _live(
        self,
        step: Step,
        name: str,
        inputs: JsonValue,
        fn: Callable[[], Awaitable[T]],
        adapter: TypeAdapter[Any],
        effect: Effect,
        cost: Callable[[T], Cost] | None,
        reserve: Cost,
    ) -> JsonValue:
        run, task_id, key = self._run, self.task_id, step.key
        used = _NOTHING
        run.meter.reserve(reserve)
        try:
            await self.emit(
                StepIntended(
                    at=time.time(), task_id=task_id, name=name, key=key, inputs=inputs, effect=effect
                )
            )
            started = time.perf_counter()
            value = await self._carry_out(step, name, fn)
            seconds = round(time.perf_counter() - started, 6)
            used = cost(value) if cost is not None else _NOTHING
            output = self._output(name, value, adapter)
            await self.emit(
                StepFinished(
                    at=time.time(),
                    task_id=task_id,
                    name=name,
                    key=key,
                    output=output,
                    seconds=seconds,
                    tokens=used.tokens,
                    tool_calls=used.tool_calls,
                )
            )
        finally:
            run.meter.settle(reserve, used)
        return output

    async def _carry_out(self, step: Step, name: str, fn: Callable[[], Awaitable[T]]) -> T:
        running = self._run.running.setdefault(step.base, [])
        me = (asyncio.current_task(), step)
        running.append(me)
        try:
            return await fn()
        except Exception as error:
            code = error.code if isinstance(error, CrewgraphError) else type(error).__name__
            said = str(error) or type(error).__name__
            await self.emit(StepErred(task_id=self.task_id, name=name, key=step.key, error=said, code=code))
            raise
        finally:
            running.remove(me)
            if not running:
                self._run.running.pop(step.base, None)

    def _output(self, name: str, value: object, adapter: TypeAdapter[Any]) -> JsonValue:
        try:
            if adapter is _JSON:
                return jsonable(value)
            return jsonable(
                adapter.dump_python(value, mode="json", by_alias=True, round_trip=True, warnings="error")
            )
        except (TypeError, PydanticSerializationError) as error:
            raise TypeError(
                f"Step {name!r} of task {self.task_id!r} gave a {type(value).__name__}, "
                f"which cannot be kept as what the step is said to return: {error}"
            ) from None

    def _refuse_doubt(self, step: Step, name: str, effect: Effect) -> None:
        if not step.begun or step.intent is None:
            return
        recorded = cast(StepIntended, decode(step.intent)).effect
        if effect == "once" or recorded == "once":
            raise StepInDoubt(
                f"Step {name!r} of task {self.task_id!r} was begun before the run broke off and may have "
                f"happened: find out whether it did, settle step {step.key} (it happened, or run it again), "
                "then resume."
            )

    def _read_back(self, step: Step, row: EventRow, adapter: TypeAdapter[Any]) -> Any:
        event = decode(row)
        self._publish(event)
        if isinstance(event, StepErred):
            self._run.journal.steps.release(step)
            raise _recorded_error(event)
        return _decoded(adapter, cast(StepFinished, event).output)

    def _publish(self, event: Event) -> None:
        for listener in self._run.listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("A listener failed on %s; the run goes on.", event.kind)


_JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)


@lru_cache(maxsize=256)
def _cached_adapter(returns: Any) -> TypeAdapter[Any]:
    return TypeAdapter(returns)


def _adapter(returns: Any) -> TypeAdapter[Any]:
    if returns is JsonValue or returns is None:
        return _JSON
    try:
        return _cached_adapter(returns)
    except TypeError:  # a type that cannot be hashed
        return TypeAdapter(returns)


def _decoded(adapter: TypeAdapter[Any], output: JsonValue) -> Any:
    if adapter is _JSON:
        return output
    try:
        return adapter.validate_python(output)
    except ValidationError as error:
        raise TypeError(
            f"The journalled result cannot be read as what the step is said to return: {error}"
        ) from None


def _recorded_error(event: StepErred) -> Exception:
    pending: list[type[CrewgraphError]] = [CrewgraphError]
    while pending:
        kind = pending.pop()
        if kind.__dict__.get("code") == event.code:
            return kind(event.error)
        pending.extend(kind.__subclasses__())
    builtin = getattr(builtins, event.code, None)
    if isinstance(builtin, type) and issubclass(builtin, Exception):
        try:
            return builtin(event.error)
        except TypeError:
            pass
    return CrewgraphError(event.error)
