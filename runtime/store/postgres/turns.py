"""Turns by advisory locks, which PostgreSQL drops when the session that holds them is gone.

All turns that nobody else wants are held by one session. Who finds a turn taken waits for it in a session of its own, and
keeps it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from .session import lock_of
from .trouble import COMMAND_SECONDS, refusal, waits

_WAITING = 8
"""Sessions at most that wait for turns or hold one that they waited for."""

_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class SessionTurns:
    """The turns of all processes that use one database."""

    def __init__(self, url: str, name: str, patience: float) -> None:
        self._url = url
        self._name = name
        self._patience = patience
        self._shared: asyncpg.Connection | None = None
        self._one = asyncio.Lock()
        self._seats = asyncio.Semaphore(_WAITING)
        self._undoing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Hold the turn with this name. Raises `StoreError`: the database has been away for too long."""
        key = lock_of(f"turn:{name}")
        shared = await self._patiently(key)
        if shared is not None:
            try:
                yield
            finally:
                await self._give_back(shared, key)
            return
        async with self._seats:
            connection = await self._waited(key)
            try:
                yield
            finally:
                connection.terminate()

    async def aclose(self) -> None:
        """Let go of everything."""
        for task in list(self._undoing):
            await task
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.terminate()

    async def _patiently(self, key: int) -> asyncpg.Connection | None:
        """The shared session, where it has the turn now; None where somebody else has it."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._patience
        for wait in waits():
            taking = asyncio.ensure_future(self._taken(key))
            try:
                return await asyncio.shield(taking)
            except _LOST as error:
                if clock() + wait > until:
                    raise refusal(self._name, error) from None
            except asyncio.CancelledError:  # it may be ours a moment later
                undoing = asyncio.ensure_future(self._undo(taking, key))
                self._undoing.add(undoing)
                undoing.add_done_callback(self._undoing.discard)
                raise
            await asyncio.sleep(wait)
        raise AssertionError("there is always another wait")

    async def _taken(self, key: int) -> asyncpg.Connection | None:
        async with self._one:
            if self._shared is None or self._shared.is_closed():
                self._shared = await self._connected(COMMAND_SECONDS)
            got = await self._shared.fetchval("SELECT pg_try_advisory_lock($1)", key)
            return self._shared if got else None

    async def _undo(self, taking: asyncio.Future[asyncpg.Connection | None], key: int) -> None:
        with suppress(*_LOST):
            shared = await taking
            if shared is not None:
                await self._give_back(shared, key)

    async def _give_back(self, shared: asyncpg.Connection, key: int) -> None:
        async def unlocked() -> None:
            async with self._one:
                with suppress(*_LOST):  # a session that is gone holds nothing
                    await shared.execute("SELECT pg_advisory_unlock($1)", key)

        await asyncio.shield(unlocked())

    async def _waited(self, key: int) -> asyncpg.Connection:
        """A session of its own that has the turn."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._patience
        for wait in waits():
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connected(None)
                until = clock() + self._patience  # it is there
                await connection.execute("SELECT pg_advisory_lock($1)", key)
                return connection
            except _LOST as error:
                if connection is not None:
                    connection.terminate()
                if clock() + wait > until:
                    raise refusal(self._name, error) from None
            except BaseException:
                if connection is not None:
                    connection.terminate()
                raise
            await asyncio.sleep(wait)
        raise AssertionError("there is always another wait")

    async def _connected(self, seconds: float | None) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._url,
            timeout=COMMAND_SECONDS,
            command_timeout=seconds,
            server_settings={"application_name": "crewgraph turns", "lock_timeout": "0"},
        )
