"""Engine: DBOS in this process: it takes workflows from their queues and runs them on this event loop."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, Self

from dbos import DBOS, DBOSConfig
from pydantic import JsonValue

from ...errors import InvalidInput, StoreError
from ..members.link import lively_url
from .client import APPLICATION, SCHEMA, SERIALIZER, quiet

RUNS = "runs"
"""The queue of whole runs."""
TASKS = "tasks"
"""The queue of tasks that name no other."""

Body = Callable[[JsonValue], Awaitable[JsonValue]]
"""What a workflow does: an order in, its ending out, both JSON."""

_VERSION = "1"
"""Workers of one version share their work. It goes up when orders change so that older workers cannot read them."""
_POLL = {RUNS: 0.1}
_POLL_TASKS = 0.05
_CONNECTIONS = 6
_NEVER = 1e6
_ABANDONED_AFTER = 1.0


class Queue(NamedTuple):
    """A queue to take work from, and how many of its tasks may be under way at once in the whole cluster."""

    name: str
    at_once: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The queue that ``name`` or ``name=limit`` means. Raises `InvalidInput`."""
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9_.\-]{0,62})(?:=([1-9][0-9]{0,5}))?", text)
        if found is None:
            raise InvalidInput(
                f"{text!r} is no queue: write a name, or name=limit with a limit of 1 or more."
            )
        return cls(found[1], int(found[2]) if found[2] else None)


class Engine:
    """Made by `start`. There is one in a process, for DBOS allows no more."""

    @classmethod
    async def start(
        cls,
        url: str,
        executor: str,
        workflows: Mapping[str, Body],
        queues: Sequence[Queue],
        *,
        concurrency: int | None = None,
    ) -> Self:
        """Begin to take work from these queues.

        `concurrency` is how many workflows of one queue a worker carries at once. DBOS keeps it with the queue, so
        it holds for all workers from then on; None leaves it as it is (8 at first).

        Raises:
            StoreError: the database does not answer, or another engine runs in this process.
        """
        quiet()
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": lively_url(url),
            "dbos_system_schema": SCHEMA,
            "application_version": _VERSION,
            "executor_id": executor,
            "serializer": SERIALIZER,
            "enable_otlp": False,
            "log_level": "WARNING",
            "sys_db_pool_size": _CONNECTIONS,
            # Its events and schedules are not used: their threads need not wake.
            "notification_coalesce_sec": 5.0,
            "scheduler_polling_interval_sec": _NEVER,
        }
        DBOS(config=config)
        try:
            for name, body in workflows.items():
                _register(name, body)
            DBOS.listen_queues([queue.name for queue in queues])
            # Launched on the loop's own thread, DBOS runs workflows on this loop: that of the store.
            DBOS.launch()
            for queue in queues:
                await _declare(queue, concurrency)
        except Exception as error:
            await _destroyed(0)
            raise StoreError(f"DBOS did not start ({error}): check the database.") from error
        return cls()

    async def aclose(self, *, grace: int = 0) -> None:
        """Take no more work, give what is under way `grace` seconds to end, and stop."""
        await _destroyed(grace)

    async def abandon(self) -> None:
        """Take no more work, and wait for nothing: DBOS's threads may be waiting for a server that is out of reach."""
        with suppress(TimeoutError):
            await asyncio.wait_for(_destroyed(0), _ABANDONED_AFTER)


async def _destroyed(grace: int) -> None:
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def destroy() -> None:
        try:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace)
        finally:
            done.set_result(None)

    # In a thread of its own, for DBOS closes those of the loop's executor. The loop gets another one after that.
    threading.Thread(target=destroy, name="crewgraph-cluster-stops", daemon=True).start()
    try:
        await asyncio.wrap_future(done)
    finally:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def workflow_id() -> str:
    """The id of the workflow that is running here."""
    found = DBOS.workflow_id
    if found is None:
        raise RuntimeError("This is called from a workflow's body only.")
    return found


def _register(name: str, body: Body) -> None:
    async def workflow(order: JsonValue) -> JsonValue:
        return await body(order)

    DBOS.workflow(name=name)(workflow)


async def _declare(queue: Queue, concurrency: int | None) -> None:
    known = await DBOS.retrieve_queue_async(queue.name)
    if known is not None and concurrency is None and queue.at_once is None:
        return
    each = concurrency
    if each is None:
        each = 8 if known is None else await known.get_worker_concurrency_async()
    total = queue.at_once
    if total is None and known is not None:
        total = await known.get_global_concurrency_async()
    await DBOS.register_queue_async(
        queue.name,
        worker_concurrency=min(each, total) if each is not None and total is not None else each,
        global_concurrency=total,
        polling_interval_sec=_POLL.get(queue.name, _POLL_TASKS),
        on_conflict="always_update",
    )
