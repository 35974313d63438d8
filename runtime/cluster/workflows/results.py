"""Results: waiting for workflows to end, woken by messages, with one look at the database for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ...errors import StoreError
from ..members.bus import Bus
from .client import Client, Workflow

_FIRST_LOOK = 0.25
"""Seconds until a look without a message: the workflow may have ended before anybody waited for it."""
_LATER_LOOKS = 5.0
"""Seconds between looks without a message after that: a safety net, for a message that nobody was left to send."""
_SOON = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Seconds between looks after a message that came before the result was to be seen."""


class Results:
    """The workflows that this process waits for. Made with `Results(client, bus)`."""

    def __init__(self, client: Client, bus: Bus) -> None:
        self._client = client
        self._bus = bus
        self._waiting: dict[str, list[asyncio.Future[Workflow]]] = {}
        self._to_see: set[str] = set()
        self._told: dict[str, int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._stop_hearing = [bus.on("done", self._on_done), bus.on("died", self._on_died)]
        self._watching_bus = asyncio.create_task(self._on_lost(), name="results")

    async def of(self, workflow_id: str) -> Workflow:
        """Wait until a workflow is over.

        Raises:
            StoreError: this process is cut off from the database.
        """
        if self._bus.lost.is_set():
            raise self._cut_off()
        done: asyncio.Future[Workflow] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(workflow_id, []).append(done)
        self._later(_FIRST_LOOK, workflow_id)
        try:
            return await done
        finally:
            waiting = self._waiting.get(workflow_id, [])
            if done in waiting:
                waiting.remove(done)
            if not waiting:
                self._waiting.pop(workflow_id, None)
                self._told.pop(workflow_id, None)

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        for stop in self._stop_hearing:
            stop()
        for timer in self._timers:
            timer.cancel()
        tasks = [task for task in (self._looking, self._watching_bus) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fail(StoreError("This process waits for the cluster no longer: it is being closed."))

    def _on_done(self, workflow_id: str) -> None:
        if workflow_id in self._waiting:
            self._told[workflow_id] = 0
            self._look([workflow_id])

    def _on_died(self, _: str) -> None:
        self._look(self._waiting)

    async def _on_lost(self) -> None:
        await self._bus.lost.wait()
        self._fail(self._cut_off())

    def _cut_off(self) -> StoreError:
        return StoreError(
            f"This process is cut off from the cluster ({self._bus.why}): it is carried on elsewhere."
        )

    def _fail(self, error: Exception) -> None:
        for futures in self._waiting.values():
            for done in futures:
                if not done.done():
                    done.set_exception(error)

    def _later(self, seconds: float, workflow_id: str) -> None:
        def now() -> None:
            self._timers.discard(timer)
            if workflow_id in self._waiting:
                self._look([workflow_id])

        timer = asyncio.get_running_loop().call_later(seconds, now)
        self._timers.add(timer)

    def _look(self, ids: Iterable[str]) -> None:
        self._to_see.update(ids)
        if self._to_see and self._looking is None:
            self._looking = asyncio.create_task(self._see(), name="results looks")

    async def _see(self) -> None:
        try:
            while self._to_see:
                ids, self._to_see = self._to_see, set()
                asked = [workflow_id for workflow_id in ids if workflow_id in self._waiting]
                found = await self._client.find(asked) if asked else []
                for workflow in found:
                    if workflow.over:
                        for done in self._waiting.get(workflow.id, ()):
                            if not done.done():
                                done.set_result(workflow)
                over = {workflow.id for workflow in found if workflow.over}
                for workflow_id in asked:
                    if workflow_id not in over:
                        self._look_again(workflow_id)
        except StoreError as error:
            self._fail(error)
        finally:
            self._looking = None

    def _look_again(self, workflow_id: str) -> None:
        told = self._told.get(workflow_id)
        if told is None or told >= len(_SOON):
            self._told.pop(workflow_id, None)
            self._later(_LATER_LOOKS, workflow_id)
        else:
            self._told[workflow_id] = told + 1
            self._later(_SOON[told], workflow_id)
