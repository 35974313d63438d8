"""Carrier: carries one task out on this machine, with a journal of its own, and says what came of it."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from ..budget import Budget
from ..context import RunContext
from ..errors import JournalTampered, StepInDoubt, StoreCorrupt, StoreError, Suspended
from ..events import RunErred, RunFinished, RunPaused, TasksAdded
from ..graph import Task
from ..journalling.journal import Journal
from ..store import Store
from ..worker import Worker
from .claim import Claims
from .imports import load
from .orders import Ending, Growth, TaskOrder

Maker = Callable[[Mapping[str, JsonValue], Any], Awaitable[Worker]]
"""Makes a `Worker` from a spec of plain JSON and what this process was given: a `TaskOrder` names it by import path."""

MakeContext = Callable[[Journal, Budget], RunContext]
"""Makes the context of a task that is carried here: with the limits and the secrets of this process."""

_KEPT = 64


class Carrier:
    """Carries task orders out. Workers are made once for each spec, and kept."""

    def __init__(
        self, store: Store, claims: Claims, given: object, context: MakeContext | None = None
    ) -> None:
        self._store = store
        self._claims = claims
        self._given = given
        self._context = context or _context
        self._workers: OrderedDict[str, asyncio.Task[Worker]] = OrderedDict()

    async def __call__(self, order: TaskOrder) -> Ending:
        """Carry the task out, or on: finished steps are read back, whoever carried them out.

        Raises:
            StoreError: this process has lost the database; what becomes of the task is another's business.
        """
        grown: list[Growth] = []

        def grow(_: str, tasks: Sequence[Task], then: Sequence[str]) -> Sequence[Task]:
            grown.append(Growth(tasks=tuple(tasks), then=tuple(then)))
            return tasks

        try:
            journal = await self._open(order)
        except Exception as error:
            if is_ours(error):
                raise
            return Ending.failed(error)
        async with journal:
            ctx = self._context(journal, order.budget)
            ctx.on_growth(grow, lambda: order.seconds_left)
            ctx.of_run_begun(order.began)
            try:
                worker = await self._worker(order)
                async with ctx.deadline():
                    ending = Ending(
                        result=await worker(order.task, ctx.for_task(order.task.id, order.results))
                    )
            except (Suspended, Exception) as error:
                if is_ours(error):
                    raise
                ending = Ending.failed(error)
            await ctx.emit(_rest(ending))
            cost = journal.task_cost(order.task.id)
            return ending.model_copy(update={"growth": tuple(grown), "cost": cost})

    async def _open(self, order: TaskOrder) -> Journal:
        journal = await self._claims.create_or_open(order.journal_id, parent=order.run, tenant=order.tenant)
        # The task belongs to the run, wherever it is carried out: so its effects have the same keys everywhere.
        journal.run_id = order.run
        if order.added:
            journal.added.append(TasksAdded(task_id="", tasks=order.added))
        if order.look_back:
            rows = await self._store.rows(order.run)
            journal.steps.load(row for row in rows if row.task_id == order.task.id)
        return journal

    async def _worker(self, order: TaskOrder) -> Worker:
        known = f"{order.maker}\0{json.dumps(order.spec, sort_keys=True)}"
        making = self._workers.get(known)
        if making is None:
            making = self._workers[known] = asyncio.create_task(self._made(order), name="makes a worker")
            if len(self._workers) > _KEPT:
                self._workers.popitem(last=False)
        self._workers.move_to_end(known)
        try:
            return await asyncio.shield(making)
        except Exception:
            self._workers.pop(known, None)
            raise

    async def _made(self, order: TaskOrder) -> Worker:
        maker: Maker = load(order.maker)
        return await maker(order.spec, self._given)


def _context(journal: Journal, budget: Budget) -> RunContext:
    return RunContext(journal, budget=budget)


def _rest(ending: Ending) -> RunFinished | RunErred | RunPaused:
    """The last event of the task's own journal: with it the store keeps what the task has used."""
    if ending.waits_for:
        return RunPaused(keys=(ending.waits_for,), reason=ending.question)
    if ending.code == StepInDoubt.code:
        return RunPaused(reason=ending.error)
    return RunErred(error=ending.error, code=ending.code) if ending.code else RunFinished(answer="")


def is_ours(error: BaseException) -> bool:
    """Whether an error says that this process cannot go on, and nothing of the task that it carries."""
    return isinstance(error, StoreError) and not isinstance(error, JournalTampered | StoreCorrupt)
