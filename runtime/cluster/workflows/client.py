"""Client: what the rest of the cluster needs of DBOS's tables: to put work on a queue, and to see what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, NamedTuple, Self, TypeVar, cast

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from pydantic import JsonValue
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ...store.seal import Seal
from ..members.link import lively_url, refused
from ..orders import closed, opened
from .queues import EACH, Queue

T = TypeVar("T")

APPLICATION = "crewgraph"
SCHEMA = "crewgraph_dbos"
"""DBOS keeps its tables here, next to ours."""
SERIALIZER = DBOSPortableJSONSerializer()
"""Everything goes as JSON. DBOS would pickle otherwise."""

_CONNECTIONS = 2

Status = Literal[
    "ENQUEUED", "DELAYED", "PENDING", "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
]
_OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_SWEPT_AT_ONCE = 500
_AGAIN = (0.1, 0.5)


class Workflow(NamedTuple):
    """One workflow: how it stands, who carries it (if anybody), on which queue, and what it gave."""

    id: str
    status: Status
    executor: str
    queue: str
    output: JsonValue

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


class Client:
    """Made by `open`. Every method raises `StoreError` when the database does not answer."""

    def __init__(self, client: DBOSClient, threads: ThreadPoolExecutor, seal: Seal) -> None:
        self._client = client
        self._threads = threads
        self._seal = seal

    @classmethod
    async def open(cls, url: str, seal: Seal) -> Self:
        """Make DBOS's tables where they are missing, and connect. Raises `StoreError`.

        What is put on queues, and what comes of it, is closed with the store's own `seal`.
        """
        quiet()
        lively = lively_url(url)

        def connected() -> DBOSClient:
            DBOS.migrate(lively, schema=SCHEMA)
            return DBOSClient(
                system_database_url=lively,
                dbos_system_schema=SCHEMA,
                serializer=SERIALIZER,
                system_database_pool_size=_CONNECTIONS,
                application_name=APPLICATION,
                retry_connection_errors=False,
            )

        # Threads of its own: those of the event loop are DBOS's to close once an engine runs on it.
        threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="crewgraph-cluster")
        try:
            return cls(await _asked(threads, connected), threads, seal)
        except BaseException:
            threads.shutdown(wait=False)
            raise

    async def declare(self, queue: Queue, *, each: int | None = None) -> None:
        """Make a queue, or set its limits where they are given.

        `each` is how many of it one worker carries at once. DBOS keeps that with the queue, so it holds for all workers
        from then on; None leaves it as it is (8 at first).
        """

        def declared() -> None:
            made = self._client.register_queue(
                queue.name,
                worker_concurrency=min(EACH, queue.at_once or EACH),
                polling_interval_sec=queue.poll_seconds,
                on_conflict="never_update",
            )
            total = queue.at_once or made.global_concurrency
            wanted = each or made.worker_concurrency or EACH
            if queue.at_once is not None or each is not None:
                made.set_worker_concurrency(1)  # below every limit, for DBOS checks each change by itself
                made.set_global_concurrency(total)
                made.set_worker_concurrency(min(wanted, total or wanted))

        await self._asked(declared)

    async def start(self, workflow: str, workflow_id: str, queue: str, order: JsonValue) -> None:
        """Put a workflow on a queue. Where there is one with this id already, nothing happens."""
        options: EnqueueOptions = {"workflow_name": workflow, "queue_name": queue, "workflow_id": workflow_id}
        letter = closed(order, self._seal)
        await self._asked(lambda: self._client.enqueue(options, cast(Any, letter)))

    async def find(self, ids: Sequence[str]) -> list[Workflow]:
        """These workflows, as they stand now; those that are not there are left out."""
        return await self._list(workflow_ids=list(ids), load_output=True)

    async def of_run(self, prefix: str) -> list[Workflow]:
        """All workflows whose ids begin so."""
        return await self._list(workflow_id_prefix=prefix)

    async def carried(self, executor: str | None = None) -> list[Workflow]:
        """All workflows that a worker (or this one), living or dead, has begun and not finished."""
        return await self._list(status="PENDING", executor_id=executor)

    async def put_back(self, workflows: Iterable[Workflow]) -> None:
        """Put workflows that nobody carries any more back on their queues."""
        by_queue: dict[str, list[str]] = {}
        for workflow in workflows:
            by_queue.setdefault(workflow.queue, []).append(workflow.id)
        for queue, ids in by_queue.items():
            await self._asked(partial(self._client.resume_workflows, ids, queue_name=queue))

    async def cancel(self, ids: Sequence[str]) -> None:
        """Let nobody begin these any more. Who carries one now is told by the bus."""
        if ids:
            await self._asked(lambda: self._client.cancel_workflows(list(ids)))

    async def forget(self, ids: Sequence[str]) -> None:
        """Take workflows away for good: what they gave is in the journal by now."""
        if ids:
            await self._asked(lambda: self._client.delete_workflows(list(ids)))

    async def sweep(self, before: float) -> None:
        """Forget workflows that ended before then (seconds since the epoch): their runs are in the store."""
        ended = datetime.fromtimestamp(before, UTC).isoformat()
        while found := await self._list(status=list(_OVER), completed_before=ended, limit=_SWEPT_AT_ONCE):
            await self.forget([workflow.id for workflow in found])

    async def aclose(self) -> None:
        """Close the connections."""
        try:
            await self._asked(self._client.destroy)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, work: Callable[[], T]) -> T:
        return await _asked(self._threads, work)

    async def _list(self, *, load_output: bool = False, **which: Any) -> list[Workflow]:
        found = await self._asked(
            lambda: self._client.list_workflows(load_input=False, load_output=load_output, **which)
        )
        return [
            Workflow(
                w.workflow_id, w.status, w.executor_id or "", w.queue_name or "", opened(w.output, self._seal)
            )
            for w in found
        ]


def quiet() -> None:
    """DBOS prints its log to stderr unless somebody else listens to it: let the process's own logging decide.

    What it merely wants to be known (a web service of its maker's, say) is left out.
    """
    log = logging.getLogger("dbos")
    log.setLevel(logging.WARNING)
    if not log.handlers:
        log.addHandler(logging.NullHandler())


async def _asked(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What the work gives. All of it may be done twice, so a connection that broke meanwhile is made anew."""
    loop = asyncio.get_running_loop()
    for wait in (*_AGAIN, None):
        try:
            return await loop.run_in_executor(threads, work)
        except (SQLAlchemyError, OSError) as error:
            if wait is None or not isinstance(error, OperationalError):
                raise refused(getattr(error, "orig", None) or error) from None
        await asyncio.sleep(wait)
    raise AssertionError("the last attempt returns or raises")
