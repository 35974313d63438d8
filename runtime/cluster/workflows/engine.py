"""Engine: DBOS in this process: it takes workflows from their queues and runs them on this event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Self

from dbos import DBOS, DBOSConfig
from pydantic import JsonValue

from ...errors import StoreError
from ..members.link import lively_url
from .client import APPLICATION, SCHEMA, SERIALIZER, quiet
from .queues import Queue

Body = Callable[[JsonValue], Awaitable[JsonValue]]
"""What a workflow does: an order in, its ending out, both JSON."""

_VERSION = "1"
"""Workers of one version share their work. It goes up when orders change so that older workers cannot read them."""
_CONNECTIONS = 4
_NEVER = 1e6
_ABANDONED_AFTER = 1.0


class Engine:
    """Made by `start`. There is one in a process, for DBOS allows no more."""

    @classmethod
    async def start(
        cls,
        url: str,
        executor: str,
        workflows: Mapping[str, Body],
        queues: Sequence[Queue],
    ) -> Self:
        """Begin to take work from these queues, which have been declared (see `Client.declare`).

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
            "notification_coalesce_sec": 0.5,
            "scheduler_polling_interval_sec": _NEVER,
        }
        DBOS(config=config)
        try:
            for name, body in workflows.items():
                _register(name, body)
            DBOS.listen_queues([queue.name for queue in queues])
            # Launched on the loop's own thread, DBOS runs workflows on this loop: that of the store.
            DBOS.launch()
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
