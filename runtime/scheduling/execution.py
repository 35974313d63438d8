"""Execution: one graph under way. What the schedule decides is acted on here, and it is told what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing

from ..context import RunContext
from ..errors import ReplayDiverged, Suspended, TaskFailed
from ..graph import Task, TaskResult, resolve
from ..worker import Worker
from . import outcome
from .approval import answered, approved
from .attempt import attempt
from .ending import Settled, ending
from .given import Givens, Work
from .heldup import HeldUp
from .maps import Map
from .schedule import Schedule, Unit
from .telling import Teller

Settle = Callable[[], Awaitable[Settled]]
"""Waits until all tasks that are there have ended or cannot go on, and says what came of them."""

Given = AsyncIterable[Task | Sequence[Task]]
Growth = Given | Callable[[Settle], Given]
"""A planner that gives tasks as it finds them, one or several at a time; or makes one that looks at what came of them."""


class Execution:
    """One graph, carried out by `worker` as `schedule` says."""

    __slots__ = (
        "_attempts",
        "_busy",
        "_ctx",
        "_diverged",
        "_failures",
        "_given",
        "_group",
        "_growth",
        "_held_up",
        "_idle",
        "_planning",
        "_schedule",
        "_skipped",
        "_tell",
        "_worker",
    )

    def __init__(
        self, schedule: Schedule, worker: Worker, ctx: RunContext, growth: Growth | None = None
    ) -> None:
        self._schedule = schedule
        self._worker = worker
        self._ctx = ctx
        self._growth = growth
        self._tell = Teller(ctx)
        self._given = Givens()
        self._held_up = HeldUp(ctx.journal)
        self._failures: dict[str, Exception] = {}
        self._diverged: list[ReplayDiverged] = []
        self._planning: BaseException | None = None
        self._skipped = 0
        self._attempts: dict[str, int] = {}
        self._busy = 0
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Carry out all that can be.

        Raises:
            BaseExceptionGroup: of what stopped the run.
            InvalidGraph: an earlier sitting's additions do not fit this graph.
        """
        ctx, growth = self._ctx, self._growth
        ctx.on_growth(self._grow, lambda: self._schedule.seconds_left)
        try:
            async with ctx.deadline():
                self._lay_in()
                while True:
                    async with asyncio.TaskGroup() as self._group:
                        if growth is not None:
                            self._group.create_task(self._follow(growth), name="growth")
                        self._advance()
                    if self._diverged:
                        raise min(self._diverged, key=lambda error: error.place)
                    growth = None
                    answered_now = await self._held_up.take_answered()
                    if not answered_now:
                        return
                    for unit_id in answered_now:
                        self._schedule.again(self._schedule[unit_id])
        finally:
            ctx.on_growth(None)

    def missing(self) -> Exception | None:
        """What is to be said of results that are not there; None where all are."""
        planning, held_up = self._planning, self._held_up.errors
        error = ending(
            self._ctx.run_id,
            failures=self._failures,
            held_up=[*held_up, planning] if isinstance(planning, Suspended) else held_up,
            planning=planning if isinstance(planning, Exception) else None,
            skipped=self._skipped,
            finished=len(self._given.results),
        )
        if isinstance(error, TaskFailed):
            error.results, error.tasks = self.results(), self._tasks()
        return error

    def _tasks(self) -> list[Task]:
        """All tasks; one that was told to wait for added ones depends on them here, in the order of its key."""
        whole = [unit for unit in self._schedule if not unit.index]
        return [
            unit.task
            if unit.needs == unit.task.needs
            else unit.task.model_copy(update={"depends_on": unit.needs})
            for unit in whole
        ]

    async def settled(self) -> Settled:
        """Waits until nothing is under way any more; what has come of all tasks so far.

        Raises:
            Suspended, StepInDoubt: one of them waits for a person.
        """
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        for error in self._held_up.errors:
            raise error
        return Settled(self.results(), {unit_id: outcome.said(e) for unit_id, e in self._failures.items()})

    def results(self) -> dict[str, TaskResult]:
        """The results in the order in which their tasks were given and added."""
        found = self._given.results
        return {unit.id: found[unit.id] for unit in self._schedule if unit.id in found}

    def _lay_in(self) -> None:
        """How the graph grew in earlier sittings; a replay grows as its code asks again."""
        if not self._ctx.replaying:
            for added in self._ctx.journal.added:
                self._schedule.add(added.tasks, added.then)
                self._ctx.publish(added)

    def _grow(self, task_id: str, tasks: Sequence[Task], then: Sequence[str]) -> Sequence[Task]:
        new = self._schedule.add(tasks, then)
        if new:
            # Not at once: whoever asked writes first that they were added.
            self._busy += 1
            self._group.create_task(self._advance_later())
        return new

    async def _advance_later(self) -> None:
        self._advance()
        self._over()

    def _over(self) -> None:
        """One asyncio task less that could bring others about."""
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    async def _follow(self, growth: Growth) -> None:
        """Lay in what a planner gives, as it gives it."""
        try:
            async with AsyncExitStack() as closing:
                given_by = growth if isinstance(growth, AsyncIterable) else growth(self.settled)
                if isinstance(given_by, AsyncGenerator):
                    await closing.enter_async_context(aclosing(given_by))
                async for given in given_by:
                    tasks = (given,) if isinstance(given, Task) else tuple(given)
                    if self._schedule.add(tasks):
                        self._tell.added(tasks)
                        self._advance()
        except BaseException as raised:
            error = outcome.cause_of(raised)
            if outcome.stops_run(error) or isinstance(error, asyncio.CancelledError):
                raise
            self._planning = error

    def _advance(self) -> None:
        """Begin all that can be begun now, and tell what will not be."""
        schedule = self._schedule
        while True:
            skips, schedule.skips = schedule.skips, []
            for skip in skips:
                self._skipped += skip.reason != "condition"
                self._tell.skipped(skip)
            unit = schedule.next()
            if unit is not None:
                self._begin(unit)
            elif not schedule.skips:
                return

    def _begin(self, unit: Unit) -> None:
        """Settle what needs no work at once; the rest gets an asyncio task of its own."""
        work: Work | None = None
        try:
            if not unit.index and not self._wanted(unit):
                return
            if not self._asks_first(unit):
                work = self._prepare(unit)
                if work is None:
                    return
        except Exception as error:
            if not self._goes_on_without(unit, error):
                if outcome.stops_run(error):
                    raise
                self._fail(unit, error)
        else:
            self._busy += 1
            self._group.create_task(self._carry_out(unit, work), name=unit.id)

    def _asks_first(self, unit: Unit) -> bool:
        """Whether a person has to agree before it begins, and has not been asked yet."""
        if unit.index or not unit.task.approval or unit.id in self._given.agreed:
            return False
        return not self._tell.is_given(unit.id)

    def _wanted(self, unit: Unit) -> bool:
        """Whether its condition holds; where not, it is passed over."""
        when = unit.task.when
        if when is None:
            return True
        results = self._given.results
        value, to = resolve(when.value, results), resolve(when.to, results)
        if when.holds(value, to):
            return True
        self._schedule.pass_over(unit)
        self._tell.passed_over(unit.id, when.said(value, to))
        return False

    def _prepare(self, unit: Unit) -> Work | None:
        """What is to be worked at; None where the result is held, or entries queue instead."""
        work = self._given.work(unit)
        held = self._tell.held(unit.id, work.key)
        if held is not None:
            self._keep(unit, held)
            return None
        if work.entries is None:
            return work
        given = isinstance(self._given.agreed.get(unit.id), list)
        mapped = Map(unit, work.entries, given=given, inputs=work.inputs, key=work.key)
        self._tell.started(unit.id)
        for entry in self._schedule.open(unit, mapped.tasks()):
            self._given.maps[entry.id] = mapped
        self._gather(mapped)
        return None

    async def _carry_out(self, unit: Unit, work: Work | None) -> None:
        """One attempt; without `work`, a person is asked first."""
        wait: float | None = None
        asking = work is None
        try:
            if work is None:
                work = await self._agree(unit)
                asking = False
            if work is not None:
                wait = self._rest_of_wait(unit)
                if wait is None:
                    await self._attempt(unit, work)
        except BaseException as error:
            wait = self._went_wrong(unit, outcome.cause_of(error), final=asking)
        if _cancelled():
            return
        if wait is not None:
            self._schedule.pause(unit)
            self._advance()
            if wait and not self._ctx.replaying:
                await asyncio.sleep(wait)
            self._schedule.again(unit)
        self._advance()
        self._over()

    async def _attempt(self, unit: Unit, work: Work) -> None:
        ctx = self._ctx.for_task(unit.id, work.inputs, allowance=unit.task.allowance)
        began = time.monotonic()
        self._tell.started(unit.id)
        result = await attempt(self._worker, work.filled(unit.task), ctx)
        self._tell.finished(unit.id, result, work.key, began=began, tokens=ctx.spent.tokens)
        self._keep(unit, result)

    async def _agree(self, unit: Unit) -> Work | None:
        """Ask a person; None where nothing is to be worked at."""
        proposed = self._given.proposed(unit.task)
        answer = await approved(self._ctx.for_task(unit.id), unit.task, proposed)
        if answer.decision == "answer":
            self._take_answer(unit, answered(answer.value))
            return None
        self._given.agreed[unit.id] = answer.value if answer.decision == "edit" else None
        return self._prepare(unit)

    def _take_answer(self, unit: Unit, result: TaskResult) -> None:
        work = self._given.work(unit)
        if self._tell.held(unit.id, work.key) != result:
            self._tell.finished(unit.id, result, work.key, began=time.monotonic(), tokens=0)
        self._keep(unit, result)

    def _keep(self, unit: Unit, result: TaskResult) -> None:
        self._schedule.finish(unit)
        if unit.index:
            mapped = self._given.maps[unit.id]
            mapped.finish(unit, result)
            self._gather(mapped)
        else:
            self._given.results[unit.id] = result

    def _gather(self, mapped: Map) -> None:
        """When all entries have ended, so has the task they are entries of."""
        if not mapped.ended:
            return
        if (failure := mapped.failure()) is not None:
            self._fail(mapped.unit, failure)
            return
        result, journal = mapped.result(), self._ctx.journal
        tokens = sum(journal.task_cost(entry_id).tokens for entry_id in mapped.ids())
        self._tell.finished(mapped.unit.id, result, mapped.key, began=mapped.began, tokens=tokens)
        self._keep(mapped.unit, result)

    def _went_wrong(self, unit: Unit, error: BaseException, *, final: bool) -> float | None:
        """What an error means: the seconds until the next attempt, or None when there is none."""
        if isinstance(error, asyncio.CancelledError) and not _cancelled():
            error = TaskFailed("its worker cancelled itself")
        if outcome.holds_up(error):
            self._held_up.hold(unit.id, error)
            self._schedule.pause(unit)
            return None
        if self._goes_on_without(unit, error):
            return None
        if outcome.stops_run(error) or not isinstance(error, Exception):
            raise error
        retry, tried = unit.task.retry, self._attempts.get(unit.id, 0) + 1
        if retry is None or tried >= retry.attempts or final or not outcome.may_pass(error) or _cancelled():
            self._fail(unit, error)
            return None
        self._attempts[unit.id] = tried
        wait = retry.seconds_after(tried)
        self._tell.retried(unit.id, tried, error, wait)
        return wait

    def _goes_on_without(self, unit: Unit, error: BaseException) -> bool:
        """A replay goes on with the other tasks, to tell which of several divergences comes first in the journal."""
        if isinstance(error, ReplayDiverged):
            self._diverged.append(error)
            self._schedule.pause(unit)
            return True
        return False

    def _rest_of_wait(self, unit: Unit) -> float | None:
        """What is left of the wait that an earlier sitting broke off in, in seconds; None where nothing is."""
        if unit.task.retry is None or unit.id in self._attempts or self._ctx.replaying:
            return None
        self._attempts[unit.id] = self._ctx.failed_attempts(unit.id)
        left = self._ctx.journal.retry_due(unit.id) - time.time()
        return min(left, unit.task.retry.longest) if left > 0 else None

    def _fail(self, unit: Unit, error: Exception) -> None:
        diverged = self._tell.fails_otherwise(unit.id, error)
        if diverged is not None and self._goes_on_without(unit, diverged):
            return
        self._tell.erred(unit.id, error)
        self._schedule.fail(unit, "rejected" if outcome.code_of(error) == "rejected" else "failed")
        if unit.index:
            mapped = self._given.maps[unit.id]
            mapped.fail(unit, error)
            self._gather(mapped)
        else:
            self._failures[unit.id] = error


def _cancelled() -> bool:
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
