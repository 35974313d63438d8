"""Cluster: what a process needs that hands work to the cluster, whether or not it carries some itself."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import JsonValue

from ..store import Store
from ..store.seal import Seal
from .members.bus import Bus
from .members.link import LOCKS
from .members.watch import LIVING
from .orders import Ending, RunOrder, tasks_of
from .worker import ClusterWorker, ending_of
from .workflows.client import Client
from .workflows.queues import RUNS, TASKS
from .workflows.results import Results

CARRY_RUN = "crewgraph.run"
"""The name of the workflow that carries a run."""


def seal_of(store: Store) -> Seal:
    """What a store closes what it keeps with."""
    found = getattr(store, "seal", None)
    return found if isinstance(found, Seal) else Seal()


class Cluster:
    """Made by `open`, outside of workers; inside, conductors are given theirs."""

    def __init__(
        self, client: Client, bus: Bus, results: Results, store: Store, given: object = None
    ) -> None:
        self.store = store
        """Where runs are kept: the same database."""
        self.given: Any = given
        """What this worker process was started with, for its conductors."""
        self._client = client
        self._bus = bus
        self._results = results

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, store: Store) -> AsyncIterator[Cluster]:
        """The cluster that works on this PostgreSQL database. Raises `StoreError`."""
        client = await Client.open(url, seal_of(store))
        try:
            bus = await Bus.open(url, f"crewgraph {socket.gethostname()[:20]} {os.getpid()}")
            assert bus is not None  # it takes no lock that another could hold
            results = Results(client, bus)
            try:
                yield cls(client, bus, results, store)
            finally:
                await results.aclose()
                await bus.aclose()
        finally:
            await client.aclose()

    def worker(
        self,
        maker: str,
        spec: Mapping[str, JsonValue],
        *,
        queue: str = TASKS,
        queues: Mapping[str, str] | None = None,
    ) -> ClusterWorker:
        """A `Worker` for the scheduler that hands each task to the cluster.

        `maker` is the import path of an async function that makes a `Worker` from `spec`, on the machine that carries
        the task: see `Maker`. Tasks of the agents in `queues` go onto those queues, the others onto `queue`.
        """
        return ClusterWorker(
            self.store, self._client, self._bus, self._results, maker, spec, queue=queue, queues=queues
        )

    async def any_worker(self) -> bool:
        """Whether there is a worker just now. Raises `StoreError`."""
        return bool(await self._bus.query(LIVING, (LOCKS,)))

    async def submit(
        self, run_id: str, conductor: str, spec: Mapping[str, JsonValue] | None = None, *, queue: str = RUNS
    ) -> None:
        """Let the cluster carry out a run that stands in the store; one that broke off or waited goes on.

        `conductor` is the import path of an async function that plans and schedules it: see `Conductor`. Where the
        run is under way already, nothing happens.
        """
        order = RunOrder(run=run_id, conductor=conductor, spec=dict(spec or {}))
        for workflow in await self._client.find([run_id]):
            if workflow.over:
                await self._client.forget([run_id])
        await self._client.start(CARRY_RUN, run_id, queue, order.json_data())

    async def ending(self, run_id: str) -> Ending:
        """Wait until a submitted run has ended, in whatever way. Raises `StoreError`."""
        return ending_of(await self._results.of(run_id))

    async def cancel(self, run_id: str) -> None:
        """Stop a submitted run and its tasks, wherever they are carried out. It can be submitted again."""
        ids = [run_id, *(workflow.id for workflow in await self._client.of_run(tasks_of(run_id)))]
        await self._client.cancel(ids)
        self._bus.tell("cancel", run_id)
        for workflow_id in ids[1:]:
            self._bus.tell("cancel", workflow_id)
        await self._bus.flush()

    async def clear(self, run_id: str) -> None:
        """Forget the workflows of a run's tasks: what came of them is in the run's journal."""
        await self._client.forget(
            [workflow.id for workflow in await self._client.of_run(tasks_of(run_id)) if workflow.over]
        )
