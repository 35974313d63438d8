"""SqliteDatabase: one SQLite file as a `Database`."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ...errors import StoreError
from ..sql.database import CROWD, Holding, Lane, Statement, Unit, closed_error, settle, write
from ..sql.statements import CLAIM, CLAIM_FREE
from .checkpoints import Checkpoints
from .file import connect, failure, prepare
from .owner import Owner
from .turns import FileTurns
from .writer import Writer

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

T = TypeVar("T")
_IDLE_READERS = 4


class SqliteDatabase:
    """The embedded database. Make it with `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.name = str(path)
        self.closed = False
        self.lanes: dict[int, Lane] = {}
        self.on_holding: Callable[[Holding], None] | None = None
        self._inode = path.stat().st_ino
        self._owner = Owner(path)
        self.owner = self._owner.id
        self._turns = FileTurns(path)
        self._checkpoints = Checkpoints(path, lambda work: self._writer.between(work))
        self._writer = Writer(connection, failure=self._failure, wrote=self._checkpoints.wrote)
        self._readers: list[sqlite3.Connection] = []
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @classmethod
    async def open(cls, path: str | os.PathLike[str], *, synchronous: str = "NORMAL") -> Self:
        """Open the database, made if it is not there. Raises `StoreError` and `StoreCorrupt`."""

        def prepared() -> tuple[Path, sqlite3.Connection]:
            where = Path(path).absolute()
            return where, prepare(where, synchronous=synchronous)

        return cls(*await asyncio.to_thread(prepared))

    def put(self, unit: Unit) -> None:
        """Take one unit, in order, at once."""
        if not self.closed:
            self._writer.put(unit)
            return
        error = closed_error() if unit.lane is None else unit.lane.fail(closed_error())
        if unit.done is not None:
            settle([(unit.done, error)])

    @property
    def crowded(self) -> bool:
        """Whether so much is on its way to the disk that whoever can wait for it should."""
        return self._writer.behind >= CROWD

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read rows below the ORM."""

        def work() -> list[tuple[Any, ...]]:
            connection = self._readers.pop() if self._readers else connect(self.path, read_only=True)
            try:
                found = connection.execute(sql, parameters).fetchall()
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
            return found

        return await self._blocking(work)

    async def select(self, statement: Select[Any]) -> list[tuple[Any, ...]]:
        """Read what a select, declared through SQLModel, asks for."""

        def work() -> list[tuple[Any, ...]]:
            from sqlalchemy.exc import DBAPIError
            from sqlmodel import Session

            try:
                with Session(self._made_engine()) as session:
                    return [tuple(row) for row in session.execute(statement)]
            except DBAPIError as error:
                raise error.orig or error from None

        return await self._blocking(work)

    async def hold(self) -> None:
        """Take the lock that others look for."""
        try:
            self._owner.take()
        except OSError as error:
            raise self._failure(error) from None

    async def living(self, owners: Collection[str]) -> set[str]:
        """Those of these owners whose lock is held."""
        if not owners:
            return set()
        return await self._blocking(lambda: {owner for owner in owners if self._owner.alive(owner)})

    async def claim(self, number: int, owner: str | None) -> bool:
        """Make a run ours that belongs to `owner`; whether that worked."""
        if owner is None:
            return (await write(self, Statement(CLAIM_FREE, (self.owner, number)))).changed > 0
        if owner != self.owner and await self.living({owner}):
            return False
        return (await write(self, Statement(CLAIM, (self.owner, number, owner)))).changed > 0

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Hold the turn with this name, which nobody else has then; waits for it."""
        try:
            turn = self._turns.turn(name)
            await turn.__aenter__()
        except OSError as error:
            raise self._failure(error) from None
        try:
            yield
        finally:
            await turn.__aexit__(None, None, None)

    async def scrub(self) -> None:
        """Overwrite the log too: deleted rows are zeroed in the file, and then nowhere else."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def work(connection: sqlite3.Connection) -> None:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error:
                pass  # somebody reads just now: closing the database, or the next deletion, does it
            finally:
                done.get_loop().call_soon_threadsafe(done.set_result, None)

        if not self.closed:
            self._writer.between(work)
            await done

    async def aclose(self) -> None:
        """Write what is left and let go of everything."""
        self.closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            readers, self._readers = self._readers, []
            for reader in readers:
                reader.close()
            if self._engine is not None:
                self._engine.dispose()
            self._writer.drain()  # first, for while it writes it may still begin a checkpoint
            self._checkpoints.close()
            self._writer.close()
            self._owner.release()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self.closed or len(self._readers) >= _IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _made_engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import QueuePool

        with self._lock:
            if self._engine is None:
                # Named, for the pool that SQLAlchemy takes by itself closes connections which others are using.
                self._engine = create_engine(
                    "sqlite://",
                    creator=lambda: connect(self.path, read_only=True),
                    poolclass=QueuePool,
                    pool_size=_IDLE_READERS,
                    max_overflow=-1,
                )
            return self._engine

    async def _blocking(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> StoreError:
        return failure(self.path, error, inode=self._inode)
