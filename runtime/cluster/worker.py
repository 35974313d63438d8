"""ClusterWorker: the scheduler's `Worker` that hands each task to whichever machine is free."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import JsonValue

from ..budget import Budget, Cost, Meter
from ..context import RunContext
from ..errors import StoreError, TaskFailed
from ..graph import Task, TaskResult
from ..store import Store
from .members.bus import Bus
from .orders import Ending, TaskOrder
from .workflows.client import Client, Workflow
from .workflows.queues import TASKS
from .workflows.results import Results

CARRY_TASK = "crewgraph.task"
"""The name of the workflow that carries a task."""

_NOTHING = Cost()


class ClusterWorker:
    """Hands tasks out and waits for what comes of them. Made by `Cluster.worker`.

    `queues` says which agent's tasks go onto which queue; the others go onto `queue`.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        bus: Bus,
        results: Results,
        maker: str,
        spec: Mapping[str, JsonValue],
        *,
        queue: str = TASKS,
        queues: Mapping[str, str] | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._bus = bus
        self._results = results
        self._maker = maker
        self._spec = dict(spec)
        self._queue = queue
        self._queues = dict(queues or {})

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        """The task's result, from wherever it was carried out.

        Raises:
            Suspended: the task waits there for a person.
            StoreError: this process is cut off from the cluster.
            Exception: what the task raised there, as near as can be told.
        """
        order = self._order(task, ctx)
        queue = self._queues.get(task.agent or "", self._queue)
        await self._client.start(CARRY_TASK, order.id, queue, order.json_data())
        workflow = await self._over(order.id)
        if workflow.status == "CANCELLED":  # left behind by an attempt that was stopped: this one begins anew
            await self._client.forget([order.id])
            await self._client.start(CARRY_TASK, order.id, queue, order.json_data())
            workflow = await self._over(order.id)
        ending = ending_of(workflow)
        if ending.result is None:
            # What a workflow gave it gives again: the next attempt needs another one.
            await self._client.forget([order.id])
            await self._take_in(order, ctx)
        used = ctx.journal.charge(task.id, ending.cost)
        if used != _NOTHING:
            ctx.meter.settle(_NOTHING, used)
        for growth in ending.growth:
            await ctx.add_tasks(growth.tasks, then=growth.then)
        ending.raise_failure()
        if ending.result is None:
            raise TaskFailed(f"Task {task.id!r} ended without a result on another machine.")
        return ending.result

    async def _take_in(self, order: TaskOrder, ctx: RunContext) -> None:
        """Know the steps that wait for an answer there, so that it is taken in when it comes."""
        for row in await self._store.rows(order.journal_id):
            if row.task_id == order.task.id:
                ctx.journal.steps.record(row)
        ctx.journal.steps.rewind(order.task.id)

    def _order(self, task: Task, ctx: RunContext) -> TaskOrder:
        return TaskOrder(
            run=ctx.run_id,
            task=task,
            maker=self._maker,
            spec=self._spec,
            results=dict(ctx.results),
            budget=left(ctx.meter, ctx.spent),
            tenant=ctx.tenant,
            added=tuple(t for event in ctx.journal.added for t in event.tasks if t.id in ctx.results),
            look_back=any(True for _ in ctx.journal.steps.known(task.id)),
            seconds_left=ctx.seconds_left,
            began=ctx.began,
        )

    async def _over(self, workflow_id: str) -> Workflow:
        try:
            return await self._results.of(workflow_id)
        except asyncio.CancelledError:
            # Whoever goes on with this run goes on with its tasks too: a process that leaves must not stop them.
            if not (self._bus.leaving or self._bus.lost.is_set()):
                await asyncio.shield(self._cancel(workflow_id))
            raise

    async def _cancel(self, workflow_id: str) -> None:
        """Nobody begins it any more; who carries it stops, and this waits until then."""
        ended = asyncio.Event()
        stop = self._bus.on("done", lambda about: ended.set() if about == workflow_id else None)
        try:
            found = await self._client.find([workflow_id])
            await self._client.cancel([workflow_id])
            if not any(workflow.status == "PENDING" for workflow in found):
                return
            self._bus.tell("cancel", workflow_id)
            async with asyncio.timeout(_STOPS_WITHIN):
                await ended.wait()
        except (TimeoutError, StoreError):
            return
        finally:
            stop()


_STOPS_WITHIN = 5.0
"""Seconds that are waited for a cancelled task elsewhere to say that it has stopped."""


def ending_of(workflow: Workflow) -> Ending:
    """What a workflow that is over gave."""
    if workflow.status == "SUCCESS":
        return Ending.model_validate(workflow.output)
    return Ending(
        error=f"The workflow {workflow.id} ended as {workflow.status} on another machine: see that worker's log.",
        code=TaskFailed.code,
    )


def left(meter: Meter, spent: Cost) -> Budget:
    """What is left of a budget and those above it, for a task that has used `spent` already, and may not again."""
    tokens: list[int] = []
    tool_calls: list[int] = []
    money: list[float] = []
    seconds: list[float] = []
    soft: list[float] = []
    at: Meter | None = meter
    while at is not None:
        limits = at.budget
        if limits.tokens is not None:
            tokens.append(max(0, limits.tokens - at.spent.tokens) + spent.tokens)
        if limits.tool_calls is not None:
            tool_calls.append(max(0, limits.tool_calls - at.spent.tool_calls) + spent.tool_calls)
        if limits.money is not None:
            money.append(max(0.0, limits.money - at.spent.money) + spent.money)
        if limits.seconds is not None:
            seconds.append(max(0.0, limits.seconds - at.seconds))
        if limits.soft is not None:
            soft.append(limits.soft)
        at = at.within
    return Budget(
        min(tokens, default=None),
        min(seconds, default=None),
        min(tool_calls, default=None),
        min(money, default=None),
        min(soft, default=None),
    )
