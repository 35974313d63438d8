"""Reads: the connections through which a store reads, side by side, and patient while PostgreSQL is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from .dialect import translated
from .trouble import COMMAND_SECONDS, is_lost, refusal, waits

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")


class Reads:
    """A few connections to one database, made when they are needed. Raises `StoreError`."""

    def __init__(self, url: str, name: str, patience: float) -> None:
        self._url = url
        self._name = name
        self._patience = patience
        self._engine: AsyncEngine | None = None

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows below the ORM."""

        async def work() -> list[tuple[Any, ...]]:
            async with self._made_engine().connect() as connection:
                found = await connection.exec_driver_sql(translated(sql), tuple(parameters))
                return [tuple(row) for row in found]

        return await self._patiently(work)

    async def select(self, statement: Select[Any]) -> list[tuple[Any, ...]]:
        """What a select, declared through SQLModel, asks for."""
        from sqlalchemy.ext.asyncio import AsyncSession

        async def work() -> list[tuple[Any, ...]]:
            async with AsyncSession(self._made_engine()) as session:
                return [tuple(row) for row in await session.execute(statement)]

        return await self._patiently(work)

    async def change(self, work: Callable[[Connection], None]) -> None:
        """Have the tables changed, in one transaction."""
        engine = self._made_engine().execution_options(isolation_level="READ COMMITTED")
        async with engine.begin() as connection:
            await connection.run_sync(work)

    async def aclose(self) -> None:
        """Give the connections back."""
        if self._engine is not None:
            await self._engine.dispose()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        from sqlalchemy.exc import DBAPIError

        clock = asyncio.get_running_loop().time
        until = clock() + self._patience
        for wait in waits():
            try:
                return await work()
            except (
                DBAPIError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                OSError,
                TimeoutError,
            ) as error:
                cause: BaseException = error
                if isinstance(error, DBAPIError) and error.orig is not None:
                    cause = error.orig.__cause__ or error.orig
                gone = is_lost(cause) or (isinstance(error, DBAPIError) and error.connection_invalidated)
                if not gone or clock() + wait > until:
                    raise refusal(self._name, cause) from None
                await asyncio.sleep(wait)
        raise AssertionError("there is always another wait")

    def _made_engine(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine

        if self._engine is None:
            self._engine = create_async_engine(
                "postgresql+asyncpg://",
                async_creator=lambda: asyncpg.connect(
                    self._url,
                    timeout=COMMAND_SECONDS,
                    command_timeout=COMMAND_SECONDS,
                    server_settings={"application_name": "crewgraph reads"},
                ),
                isolation_level="AUTOCOMMIT",
                pool_pre_ping=True,
                pool_size=2,
                max_overflow=6,
            )
        return self._engine
