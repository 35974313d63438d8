"""Claim: a run's journal, waited for while somebody else still holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from ..errors import NotFound, StoreError, TaskFailed
from ..journalling.journal import Journal
from ..store import Store
from ..store.postgres.session import lock_of
from .members.bus import Bus
from .members.link import connect, refused

BEGINNINGS = 20
"""So often may the workers that carry a task or a run die, one after the other, without getting a step further."""

_REFUSALS = 5
_STEPS_FURTHER = {"plan_made", "step_intended", "step_finished", "step_erred", "answered", "task_finished"}


class Claims:
    """The runs that this process wants to carry on. Made with the store, its URL, and the bus."""

    def __init__(self, store: Store, url: str, bus: Bus) -> None:
        self._store = store
        self._url = url
        self._bus = bus

    async def open(self, run_id: str) -> Journal:
        """Claim a run to carry it on. While another process carries it, this waits until it does no more.

        Raises:
            NotFound: there is no such run.
            TaskFailed: whoever carries it dies, again and again.
            StoreError: the database does not answer.
        """
        refusals = 0
        while True:
            with _LetGo(self._bus) as let_go:
                try:
                    journal = await self._store.open_run(run_id)
                    break
                except NotFound:
                    raise
                except StoreError:
                    if self._bus.lost.is_set():
                        raise
                    if (await self._store.find_run(run_id)).status != "running":
                        # Whoever carried it has just let go, or the store says no for another reason.
                        refusals += 1
                        if refusals > _REFUSALS:
                            raise
                        continue
                await self._until_free(run_id, let_go)
        try:
            await self._refuse_deadly(run_id)
        except BaseException:
            await journal.aclose()
            raise
        return journal

    async def create_or_open(self, run_id: str, *, parent: str, tenant: str) -> Journal:
        """The journal of a task of `parent`, new or gone on with. Raises as `open` does."""
        try:
            return await self._store.create_run("", "", run_id=run_id, parent=parent, tenant=tenant)
        except StoreError as error:
            try:
                return await self.open(run_id)
            except NotFound:
                raise error from None

    async def _until_free(self, run_id: str, let_go: _LetGo) -> None:
        """Wait until the process that carries the run says that it is done with it, or has died."""
        try:
            link = await connect(self._url, "crewgraph waits for a run")
            try:
                row = await (await link.execute("SELECT owner FROM runs WHERE id = %s", (run_id,))).fetchone()
                if row is None or row[0] is None:
                    return
                died = asyncio.create_task(link.execute("SELECT pg_advisory_lock(%s)", (lock_of(row[0]),)))
                said = asyncio.create_task(let_go.wait())
                try:
                    await asyncio.wait({died, said}, return_when=asyncio.FIRST_COMPLETED)
                    if died.done():
                        await died
                        await link.execute("SELECT pg_advisory_unlock(%s)", (lock_of(row[0]),))
                finally:
                    for task in (died, said):
                        task.cancel()
                    await asyncio.gather(died, said, return_exceptions=True)
            finally:
                await link.close()
        except psycopg.Error as error:
            raise refused(error) from None

    async def _refuse_deadly(self, run_id: str) -> None:
        """Refuse what has been begun again and again and never got a step further: it takes its workers down."""
        begun = 0
        for row in reversed(await self._store.rows(run_id)):
            begun += row.kind == "run_resumed"
            if row.kind in _STEPS_FURTHER:
                break
        if begun > BEGINNINGS:
            raise TaskFailed(
                f"{begun} workers in a row died or stopped while they carried {run_id}, before its next step: "
                "look into their logs, mend the cause, then resume the run."
            )


class _LetGo:
    """Is woken when some process has let go of something that it carried, or has died."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._event = asyncio.Event()
        self._stop: list[Callable[[], None]] = []

    def __enter__(self) -> _LetGo:
        self._stop = [self._bus.on("done", self._hear), self._bus.on("died", self._hear)]
        return self

    def __exit__(self, *_: object) -> None:
        for stop in self._stop:
            stop()

    async def wait(self) -> None:
        await self._event.wait()

    def _hear(self, _: str) -> None:
        self._event.set()
