"""LiveStep: one effect being carried out, with its intent written before it and its result after."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import JsonValue, TypeAdapter

from ..budget import Cost, Meter
from ..errors import CrewgraphError
from ..events import Effect, StepErred, StepFinished, StepIntended
from ..journalling.row import fields
from ..journalling.steps import Step
from .doubt import (
    OUTCOME_UNKNOWN,
    DidNotHappen,
    Finding,
    Happened,
    Reconcile,
    StillUnknown,
    in_doubt,
    leaves_doubt,
)
from .running import Running
from .typed import to_json

T = TypeVar("T")

_log = logging.getLogger(__name__)
_NOTHING = Cost()


@dataclass(slots=True, eq=False)
class LiveStep(Generic[T]):
    """A step that the journal holds no outcome of. See `RunContext.step` for what the fields mean."""

    run: Running
    meter: Meter
    step: Step
    name: str
    inputs: JsonValue
    fn: Callable[[], Awaitable[T]]
    adapter: TypeAdapter[Any]
    effect: Effect
    cost: Callable[[T], Cost] | None
    reserve: Cost
    lanes: Mapping[str, int | None]
    reconcile: Reconcile | None

    def carry_out(self) -> Coroutine[Any, Any, JsonValue]:
        """The result as JSON, journalled. Raises what `RunContext.step` says."""
        return self._in_lanes() if self.lanes else self._carry_out()

    async def _in_lanes(self) -> JsonValue:
        async with self.run.lanes.hold(self.lanes):
            return await self._carry_out()

    async def settled(self) -> bool:
        """Clear up a step that was begun and has no outcome. True: it has happened, and that is journalled.

        Raises:
            StepInDoubt: it is a `once` effect and nobody knows.
        """
        step, journal = self.step, self.run.journal
        recorded = fields(step.intent).get("effect", "read_only") if step.intent is not None else self.effect
        if "once" not in (self.effect, recorded):
            return False
        await journal.take_answers()
        found = await self._find_out() if step.begun else None
        if step.begun:  # another task, looking for its own answer, may have taken in this one's
            if found is None or isinstance(found, StillUnknown):
                raise in_doubt(step.task_id, self.name, step.key)
            output = self._output(found.output) if isinstance(found, Happened) else None
            await journal.settle(step.key, happened=isinstance(found, Happened), output=output)
        return step.read < len(step.outcomes)

    async def _carry_out(self) -> JsonValue:
        task_id, key, wait = self.step.task_id, self.step.key, self.effect != "read_only"
        used = _NOTHING
        self.meter.reserve(self.reserve)
        try:
            intent = StepIntended(
                at=time.time(),
                task_id=task_id,
                name=self.name,
                key=key,
                inputs=self.inputs,
                effect=self.effect,
            )
            await self.run.record(intent, wait=wait)
            started = time.perf_counter()
            value = await self._value()
            seconds = round(time.perf_counter() - started, 6)
            used = self.cost(value) if self.cost is not None else _NOTHING
            output = self._output(value)
            finished = StepFinished(
                at=time.time(),
                task_id=task_id,
                name=self.name,
                key=key,
                output=output,
                seconds=seconds,
                tokens=used.tokens,
                tool_calls=used.tool_calls,
                money=used.money,
            )
            await self.run.record(finished, wait=wait)
        finally:
            self.meter.settle(self.reserve, used)
        self.run.tell_low(task_id, self.meter)
        return output

    async def _value(self) -> T | Any:
        """What the effect gave, or what it turned out to have given although it failed."""
        at_work = self.run.at_work
        running = at_work.setdefault(self.step.base, [])
        me = (asyncio.current_task(), self.step)
        running.append(me)
        try:
            return await self.fn()
        except Exception as error:
            found = await self._failed(error)
            if found is None:
                raise
            return found.output
        finally:
            running.remove(me)
            if not running:
                at_work.pop(self.step.base, None)

    async def _failed(self, error: Exception) -> Happened | None:
        """Journal that the effect failed. What is given back says that it happened all the same.

        Raises:
            StepInDoubt: it may have happened.
        """
        code = error.code if isinstance(error, CrewgraphError) else type(error).__name__
        unknown = self.effect == "once" and leaves_doubt(error)
        await self._erred(error, OUTCOME_UNKNOWN if unknown else code)
        if not unknown:
            return None
        found = await self._find_out()
        if isinstance(found, Happened):
            return found
        if isinstance(found, DidNotHappen):
            await self._erred(error, code)
            return None
        raise in_doubt(self.step.task_id, self.name, self.step.key, error) from error

    async def _erred(self, error: Exception, code: str) -> None:
        said = str(error) or type(error).__name__
        event = StepErred(
            at=time.time(),
            task_id=self.step.task_id,
            name=self.name,
            key=self.step.key,
            error=said,
            code=code,
        )
        await self.run.record(event, wait=self.effect != "read_only")

    async def _find_out(self) -> Finding:
        if self.reconcile is None:
            return StillUnknown()
        try:
            return await self.reconcile(f"{self.run.journal.run_id}/{self.step.key}")
        except Exception:
            _log.exception("Finding out about step %s failed; it stays in doubt.", self.step.key)
            return StillUnknown()

    def _output(self, value: object) -> JsonValue:
        where = f"Step {self.name!r} of task {self.step.task_id!r}"
        return self.run.journal.redactor.value(to_json(value, self.adapter, where))
