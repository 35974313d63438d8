"""Server: one worker process of the cluster, from joining it to leaving it, or to being cut off."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from pydantic import JsonValue

from ..errors import ClaimLost, StoreError
from ..store import Store
from ..store.seal import Seal
from .carrier import Carrier, MakeContext, is_ours
from .claim import Claims
from .cluster import CARRY_RUN, Cluster, seal_of
from .conduct import conduct
from .members.bus import Bus
from .members.link import lock_number
from .members.takeover import take_over
from .members.watch import Watch
from .orders import Ending, RunOrder, TaskOrder, closed, opened
from .worker import CARRY_TASK
from .workflows.client import Client
from .workflows.engine import Engine, workflow_id
from .workflows.queues import BOTH, Queue
from .workflows.results import Results

_log = logging.getLogger(__name__)


_STOPS_WITHIN = 2.0
"""Seconds that are waited for what was under way to stop."""

_KEPT_SECONDS = 7 * 24 * 3600.0
_SWEEP_EVERY = 3600.0


class CutOff(StoreError):
    """This worker has lost its lock: what it carried is taken over, and it has stopped. It may join again."""

    code = "cut_off"


async def serve(
    url: str,
    store: Store,
    *,
    queues: Sequence[Queue] = BOTH,
    concurrency: int | None = None,
    stop: asyncio.Event | None = None,
    grace: int = 10,
    given: object = None,
    context: MakeContext | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Carry tasks and runs from these queues until `stop` is set; then what is under way has `grace` seconds to end.

    `concurrency` is how many of one queue a worker carries at once: see `Client.declare`. `given` is passed on to whatever
    makes workers and conducts runs here, `context` makes the contexts of tasks. `on_ready` is told the worker's id once
    it takes work. There can be one in a process.

    Raises:
        CutOff: this worker lost its lock. It has stopped; others carry on what it carried.
        StoreError: the database does not answer.
    """
    stop = stop or asyncio.Event()
    async with AsyncExitStack() as stack:
        seal = seal_of(store)
        client = await Client.open(url, seal)
        stack.push_async_callback(client.aclose)
        executor, bus = await _join(url)
        stack.push_async_callback(bus.aclose)
        results = Results(client, bus)
        stack.push_async_callback(results.aclose)
        claims = Claims(store, url, bus)
        carrier = Carrier(store, claims, given, context)
        desk = _Desk(carrier, claims, bus, seal, Cluster(client, bus, results, store, given))
        stack.push_async_callback(desk.aclose)
        workflows = {CARRY_TASK: desk.task, CARRY_RUN: desk.run}
        for queue in queues:
            await client.declare(queue, each=concurrency)
        engine = await Engine.start(url, executor, workflows, queues)
        try:
            watch = await Watch.open(
                url, executor, bus, lock_number(executor), lambda watch: take_over(client, watch.bury)
            )
            stack.push_async_callback(watch.aclose)
            bus.tell("joined", str(lock_number(executor)))
            sweeping = asyncio.create_task(_sweep(client), name="cluster sweeps")
            stack.callback(sweeping.cancel)
            if on_ready is not None:
                on_ready(executor)
            await _first(stop, bus.lost)
        finally:
            if bus.lost.is_set():
                await desk.aclose()
                await engine.abandon()
            else:
                await engine.aclose(grace=grace)
        if bus.lost.is_set():
            raise CutOff(
                f"This worker was cut off from the database ({bus.why}): others carry on what it carried."
            )


class _Desk:
    """The workflows that this process carries just now."""

    def __init__(self, carrier: Carrier, claims: Claims, bus: Bus, seal: Seal, cluster: Cluster) -> None:
        self._carrier = carrier
        self._claims = claims
        self._seal = seal
        self._bus = bus
        self._cluster = cluster
        self._at_work: dict[str, asyncio.Task[object]] = {}
        bus.on("cancel", self._cancel)

    async def task(self, order: JsonValue) -> JsonValue:
        """The body of a task's workflow."""
        return await self._carry(order, lambda letter: self._carrier(TaskOrder.model_validate(letter)))

    async def run(self, order: JsonValue) -> JsonValue:
        """The body of a run's workflow."""
        return await self._carry(
            order, lambda letter: conduct(RunOrder.model_validate(letter), self._cluster, self._claims)
        )

    async def aclose(self) -> None:
        """Stop everything where it stands."""
        self._bus.leaving = True
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        if tasks:  # one may wait for a database that is out of reach, to say that it was stopped
            await asyncio.wait(tasks, timeout=_STOPS_WITHIN)

    async def _carry(self, order: JsonValue, work: Callable[[JsonValue], Awaitable[Ending]]) -> JsonValue:
        me = asyncio.current_task()
        assert me is not None
        if self._bus.leaving or self._bus.lost.is_set():
            await asyncio.get_running_loop().create_future()  # it was taken too late: others go on with it
        mine = workflow_id()
        self._at_work[mine] = me
        # DBOS writes down what the workflow gave before its task is done: who waits is told after that.
        me.add_done_callback(lambda _: self._ended(mine, me))
        try:
            ending = await work(opened(order, self._seal))
        except Exception as error:
            if is_ours(error) and await self._lost(error):
                # Nothing may be said of the workflow: it is still to be carried out, by somebody who can.
                self._bus.lose(str(error))
                await asyncio.get_running_loop().create_future()
            _log.exception("Workflow %s could not be carried out.", mine)
            ending = Ending.failed(error)
        return closed(ending.json_data(), self._seal)

    async def _lost(self, error: Exception) -> bool:
        """Whether a store that failed is out of reach, or the run another's; else it refused what was to be written."""
        if isinstance(error, ClaimLost) or self._bus.lost.is_set():
            return True
        try:
            await self._cluster.store.list_runs(1)
        except StoreError:
            return True
        return False

    def _ended(self, workflow: str, task: asyncio.Task[object]) -> None:
        if self._at_work.get(workflow) is task:
            del self._at_work[workflow]
        self._bus.tell("done", workflow)

    def _cancel(self, workflow: str) -> None:
        task = self._at_work.get(workflow)
        if task is not None:
            task.cancel()


async def _join(url: str) -> tuple[str, Bus]:
    """An id that no other worker has, and the bus that holds its lock."""
    while True:
        executor = f"{socket.gethostname()[:24]}-{os.getpid()}-{secrets.token_hex(3)}"
        bus = await Bus.open(url, executor, lock=lock_number(executor))
        if bus is not None:
            return executor, bus


async def _sweep(client: Client) -> None:
    """Forget, now and then, workflows that ended so long ago that nobody waits for them any more."""
    while True:
        try:
            await client.sweep(time.time() - _KEPT_SECONDS)
        except StoreError:
            _log.warning("Old workflows could not be swept away.", exc_info=True)
        await asyncio.sleep(_SWEEP_EVERY)


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
