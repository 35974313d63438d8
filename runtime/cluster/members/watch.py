"""Watch: every worker watches the next one, and is woken by PostgreSQL the moment that one dies.

The living workers stand in a ring, in the order of their lock numbers. Each waits in a session of its own for the
lock of its neighbour, which PostgreSQL grants when the neighbour's session ends, and not before. So a cluster of n
workers needs n such sessions, where watching everybody would need n², and nobody asks the server again and again.
Whoever is woken looks after everything that dead workers held, not only its neighbour's: so it does no harm when
several die at once, the watcher of one of them included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Self

import psycopg

from .bus import Bus
from .link import LOCKS, Link, connect

TakeOver = Callable[["Watch"], Awaitable[int]]
"""Looks after what dead workers held; how many workflows were moved. Asks `Watch.bury` who is dead."""

_log = logging.getLogger(__name__)
_SECOND_LOOK = 5.0
"""Seconds after a death until what it held is looked after once more: a process that is cut off for as long as the
server waits for it may have taken work in the moment before it noticed."""
LIVING = (
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""The locks of all workers that live, given `LOCKS`."""


class Watch:
    """Made by `open`. Runs until it is closed, or until the bus or its own session is lost."""

    def __init__(self, link: Link, bus: Bus, mine: int, take_over: TakeOver) -> None:
        self._link = link
        self._bus = bus
        self._mine = mine
        self._take_over = take_over
        self._joined: list[int] = []
        self._look_again: asyncio.TimerHandle | None = None
        self._again = False
        self._changed = asyncio.Event()
        self._stop_hearing = [bus.on("joined", self._on_joined)]
        self._task = asyncio.create_task(self._run(), name="watch")

    @classmethod
    async def open(cls, url: str, name: str, bus: Bus, mine: int, take_over: TakeOver) -> Self:
        """Begin to watch: first what is left of workers that died before, then the neighbour.

        Raises:
            StoreError: the server does not answer, or refuses.
        """
        return cls(await connect(url, f"{name} watches"), bus, mine, take_over)

    async def bury(self, number: int) -> Callable[[], Awaitable[None]] | None:
        """Hold the lock of a worker that is dead, so that nobody else looks after it; None when it lives.

        What is given back lets the lock go.
        """
        row = await (
            await self._link.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCKS, number))
        ).fetchone()
        if row is None or not row[0]:
            return None
        return lambda: self._unlock(number)

    async def aclose(self) -> None:
        """Watch no longer."""
        for stop in self._stop_hearing:
            stop()
        if self._look_again is not None:
            self._look_again.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._link.close()

    def _on_joined(self, about: str) -> None:
        if about.isdigit() and int(about) != self._mine:
            self._joined.append(int(about))
            self._changed.set()

    async def _run(self) -> None:
        try:
            await self._take_over(self)
            while True:
                self._changed.clear()
                joined, self._joined = self._joined, []
                if self._again:
                    self._again = False
                    await self._take_over(self)
                living = await self._living()
                if any(number not in living for number in joined):
                    await self._mourn()  # it has joined, worked and died before anybody watched it
                    continue
                neighbour = _next(self._mine, living)
                if neighbour is None:
                    await self._changed.wait()
                elif await self._outlive(neighbour):
                    try:
                        await self._mourn()
                    finally:
                        await self._unlock(neighbour)
        except (psycopg.Error, OSError) as error:
            self._bus.lose(" ".join(str(error).split()))
        except Exception as error:
            _log.exception("Watching the other workers failed.")
            self._bus.lose(f"watching the other workers failed: {error}")

    def _second_look(self) -> None:
        self._again = True
        self._changed.set()

    async def _mourn(self) -> None:
        moved = await self._take_over(self)
        self._bus.tell("died")
        if self._look_again is not None:
            self._look_again.cancel()
        self._look_again = asyncio.get_running_loop().call_later(_SECOND_LOOK, self._second_look)
        _log.info("A worker died; %d workflows were taken over.", moved)

    async def _living(self) -> set[int]:
        rows = await (await self._link.execute(LIVING, (LOCKS,))).fetchall()
        return {int(row[0]) for row in rows}

    async def _outlive(self, neighbour: int) -> bool:
        """Wait for the neighbour's lock. False: the ring has changed meanwhile, and it is not held."""
        waiting = asyncio.create_task(self._lock(neighbour), name="watch waits")
        changed = asyncio.create_task(self._changed.wait(), name="watch hears")
        try:
            await asyncio.wait({waiting, changed}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await self._link.cancel_safe()
            return await waiting
        finally:
            changed.cancel()
            if not waiting.done():
                waiting.cancel()
            await asyncio.gather(waiting, changed, return_exceptions=True)

    async def _lock(self, number: int) -> bool:
        try:
            await self._link.execute("SELECT pg_advisory_lock(%s, %s)", (LOCKS, number))
        except psycopg.errors.QueryCanceled:
            return False
        return True

    async def _unlock(self, number: int) -> None:
        await self._link.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCKS, number))


def _next(mine: int, living: set[int]) -> int | None:
    """The neighbour in the ring: the next higher number, after the highest the lowest; None where I am alone."""
    others = sorted(living - {mine})
    return next((number for number in others if number > mine), others[0] if others else None)
