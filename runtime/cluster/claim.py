"""Claim: a run's journal, waited for while somebody else still holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import NotFound, StoreError, TaskFailed
from ..events import RunResumed, StepFinished, StepIntended
from ..journal import Journal
from ..store import Store
from .members.bus import Bus

BEGINNINGS = 10
"""So often may the workers that carry a task or a run die, one after the other, without getting a step further."""

_LOOK_AGAIN = 1.0


async def create_or_open(store: Store, bus: Bus, run_id: str, parent: str, tenant: str) -> Journal:
    """The journal of a task of `parent`, new or gone on with. Raises as `open_when_free` does."""
    try:
        return await store.create_run("", "", run_id=run_id, parent=parent, tenant=tenant)
    except StoreError as error:
        try:
            journal = await open_when_free(store, bus, run_id)
        except NotFound:
            raise error from None
        if journal.run_id != run_id:  # a longer id that begins so
            await journal.aclose()
            raise
        return journal


async def open_when_free(store: Store, bus: Bus, run_id: str) -> Journal:
    """Claim a run to carry it on. While another process carries it, this waits until it does no more.

    Raises:
        NotFound: there is no such run.
        TaskFailed: whoever carries it dies, again and again.
        StoreError: the database does not answer.
    """
    while True:
        with _Told(bus) as told:
            try:
                journal = await store.open_run(run_id)
                break
            except NotFound:
                raise
            except StoreError:
                if (await store.find_run(run_id)).status != "running" or bus.lost.is_set():
                    raise
            await told.wait()
    try:
        await refuse_deadly(store, run_id)
    except BaseException:
        await journal.aclose()
        raise
    return journal


async def refuse_deadly(store: Store, run_id: str) -> None:
    """Refuse what has been begun again and again and never got a step further: it takes its workers down.

    Raises:
        TaskFailed: that is so.
    """
    begun = 0
    for event in reversed(await store.events(run_id)):
        if isinstance(event, RunResumed):
            begun += 1
        elif isinstance(event, StepIntended | StepFinished):
            break
    if begun > BEGINNINGS:
        raise TaskFailed(
            f"{begun} workers in a row died or stopped while they carried {run_id}, before its next step: "
            "look into their logs, mend the cause, then resume the run."
        )


class _Told:
    """Is woken when somebody has let a run go, or died; in any case after a while."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._event = asyncio.Event()
        self._stop: list[Callable[[], None]] = []

    def __enter__(self) -> _Told:
        self._stop = [self._bus.on(kind, lambda _: self._event.set()) for kind in ("done", "died")]
        return self

    def __exit__(self, *_: object) -> None:
        for stop in self._stop:
            stop()

    async def wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_AGAIN):
                await self._event.wait()
        except TimeoutError:
            return
