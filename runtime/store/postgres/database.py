"""PostgresDatabase: one PostgreSQL database as a `Database`.

Both ways of `synchronous` outlive a crash of this process, of PostgreSQL and of its machine. ``NORMAL`` is
``synchronous_commit = local``: safe on the server's own disk. ``FULL`` is ``on``: also on the standbys that the server
is told to wait for, where it has any.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import TYPE_CHECKING, Any, Self, TypeVar

import asyncpg

from ...errors import StoreError
from ..sql import schema
from ..sql.database import (
    CROWD,
    RETURNED,
    Holding,
    Lane,
    Refused,
    Statement,
    Unit,
    Written,
    closed_error,
    settle,
    write,
)
from ..sql.statements import APPEND, CLAIM, CLAIM_FREE
from .reads import Reads
from .session import Broken, Proof, Session, lock_of, refusal_of
from .trouble import COMMAND_SECONDS, is_lost, refusal, waits, without_password
from .turns import SessionTurns

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds for which a PostgreSQL that has gone may stay away."""

_GROUP = 4096
_SCHEMA_LOCK = 0x63726577_73636865
_LIVING = (
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
_VERSION = "SELECT max(version) FROM schema_version"
_CARRIERS = "SELECT DISTINCT owner FROM runs WHERE status = 'running' AND owner IS NOT NULL"


class PostgresDatabase:
    """The shared database. Make it with `open`; it belongs to the event loop that opened it."""

    def __init__(self, url: str, *, synchronous: str, patience: float) -> None:
        self.name = without_password(url)
        self.owner = _new_owner()
        self.closed = False
        self.lanes: dict[int, Lane] = {}
        self.on_holding: Callable[[Holding], None] | None = None
        self._url = url
        self._synchronous = synchronous
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._queue: deque[Unit] = deque()
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._held = False
        self._said: Holding = "regained"
        self._reads = Reads(url, self.name, patience)
        self._turns = SessionTurns(url, self.name, patience)
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, *, synchronous: str = "NORMAL", patience: float = PATIENCE) -> Self:
        """Open the database, its tables made or brought up to date if need be. Raises `StoreError`."""
        self = cls(url, synchronous=synchronous, patience=patience)
        try:
            self._session = await self._new_session(COMMAND_SECONDS)
            await self._check_schema()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
            await self._let_go()
            raise refusal(self.name, error) from None
        except BaseException:
            await self._let_go()
            raise
        self._held = True
        self._task = asyncio.create_task(self._work(), name="crewgraph-postgres-writer")
        return self

    def put(self, unit: Unit) -> None:
        """Take one unit, in order, at once."""
        if self.closed:
            _tell([(unit, closed_error() if unit.lane is None else unit.lane.fail(closed_error()))])
            return
        self._queue.append(unit)
        self._wake.set()

    @property
    def crowded(self) -> bool:
        """Whether so much is on its way to the server that whoever can wait for it should."""
        return len(self._queue) >= CROWD

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read rows below the ORM."""
        return await self._reads.fetch(sql, parameters)

    async def select(self, statement: Select[Any]) -> list[tuple[Any, ...]]:
        """Read what a select, declared through SQLModel, asks for."""
        return await self._reads.select(statement)

    async def hold(self) -> None:
        """The lock is held as long as there is a session."""

    async def living(self, owners: Collection[str]) -> set[str]:
        """Those of these owners whose lock is held."""
        if not owners:
            return set()
        held = {lock for (lock,) in await self.fetch(_LIVING)}
        return {owner for owner in owners if lock_of(owner) in held}

    async def claim(self, number: int, owner: str | None) -> bool:
        """Make a run ours that belongs to `owner`, while holding that dead one's lock; whether that worked."""
        if owner is None:
            return (await write(self, Statement(CLAIM_FREE, (self.owner, number)))).changed > 0
        theirs = Statement("SELECT 1 WHERE pg_try_advisory_xact_lock(?)", (lock_of(owner),), guard=True)
        try:
            return (await write(self, theirs, Statement(CLAIM, (self.owner, number, owner)))).changed > 0
        except Refused:
            return False

    def turn(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the turn with this name, which nobody else has then; waits for it."""
        return self._turns.turn(name)

    async def scrub(self) -> None:
        """Deleted rows stay in PostgreSQL's files until its own vacuum has passed over them."""

    async def aclose(self) -> None:
        """Write what is left and let go of everything."""
        self.closed = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._let_go()

    async def _work(self) -> None:
        while self._queue or not self.closed:
            if not self._queue:
                await self._wake.wait()
            self._wake.clear()
            if self._queue:
                await self._write(self._next_group())
            elif not self.closed and not self._alive():
                await self._have_session()

    def _next_group(self) -> list[Unit]:
        group: list[Unit] = []
        while self._queue and len(group) < _GROUP:
            if _stands_alone(self._queue[0]):
                return group or [self._queue.popleft()]
            group.append(self._queue.popleft())
        return group

    async def _write(self, group: list[Unit]) -> None:
        """Write these, through as many sessions as it takes; each is told what became of it."""
        proof: Proof | None = None
        until = inf
        while True:
            if proof is None and not (group := _sound(group)):
                return
            if (error := await self._have_session()) is not None:
                _tell([(unit, unit.lane.fail(error) if unit.lane is not None else error) for unit in group])
                return
            session = self._session
            assert session is not None
            try:
                if proof is not None and await session.happened(proof):
                    _wrote(group, proof.results)
                    return
                proof = None
                if not (group := _sound(group)):  # some may have been lost with the earlier session
                    return
                _wrote(group, await session.write(group))
                return
            except Broken as broken:
                proof = broken.proof
                until = min(until, self._clock() + self._patience)
                if self._clock() > until:  # it may be these very statements that break each session
                    _tell([(unit, refusal_of(unit, broken)) for unit in group])
                    return
            except Exception as refused:
                if is_lost(refused) or not session.alive:
                    session.terminate()  # while it was asked about an earlier break: that is asked again
                elif len(group) > 1:  # one of them is at fault: each alone, so that it takes no others down
                    for unit in group:
                        await self._write([unit])
                    return
                else:
                    _tell([(unit, refusal_of(unit, refused)) for unit in group])
                    return

    async def _have_session(self) -> StoreError | None:
        """See to it that there is a session; what to tell when none can be had any more."""
        if self._alive():
            return None
        self._session_closed()
        until = self._clock() + self._patience
        for wait in waits():
            try:
                self._session = await self._new_session(max(1.0, min(COMMAND_SECONDS, until - self._clock())))
                await self._session.check(self.lanes.values())
            except Exception as error:  # whatever it is, somebody waits to hear of it
                if self._session is not None:
                    self._session.terminate()
                if self._clock() + wait > until:
                    return self._give_up(error)
                await asyncio.sleep(wait)
                continue
            self._held = True
            for number in [number for number, lane in self.lanes.items() if lane.failure is not None]:
                del self.lanes[number]
            self._say("regained")
            return None
        raise AssertionError("there is always another wait")

    def _give_up(self, error: Exception) -> StoreError:
        """Nobody must wait for this owner any more: its runs are for others to take, and we become another."""
        told = refusal(self.name, error)
        for lane in self.lanes.values():
            lane.fail(told)
        self.lanes.clear()
        self.owner = _new_owner()
        self._say("given_up")
        return told

    def _session_closed(self) -> None:
        if self._held and not self._alive():
            self._held = False
            self._say("lost")
            self._wake.set()

    def _say(self, what: Holding) -> None:
        if self.on_holding is not None and not self.closed and what != self._said:
            self.on_holding(what)
        self._said = what

    def _alive(self) -> bool:
        return self._session is not None and self._session.alive

    async def _new_session(self, seconds: float) -> Session:
        return await Session.open(
            self._url, self.owner, synchronous=self._synchronous, seconds=seconds, closed=self._session_closed
        )

    async def _let_go(self) -> None:
        session, self._session, self._held = self._session, None, False
        if session is not None:
            await session.aclose()
        await self._turns.aclose()
        await self._reads.aclose()

    async def _check_schema(self) -> None:
        assert self._session is not None
        tables = {name for (name,) in await self._session.fetch(_TABLES)}
        if "schema_version" in tables:
            ((version,),) = await self._session.fetch(_VERSION)
            if version is not None and not schema.check_version(version, self.name):
                return
            if version is not None and await self.living(
                [name for (name,) in await self._session.fetch(_CARRIERS)]
            ):
                raise schema.in_use(self.name)
        elif tables & set(schema.TABLES):
            raise schema.foreign(self.name)

        def make(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
            schema.bring_up(
                connection, "schema_version" in {name for (name,) in connection.exec_driver_sql(_TABLES)}
            )

        await self._reads.change(make)


def _sound(group: Sequence[Unit]) -> list[Unit]:
    """Those that may still be written; the others are told why not."""
    _tell(
        [
            (unit, unit.lane.failure)
            for unit in group
            if unit.lane is not None and unit.lane.failure is not None
        ]
    )
    return [unit for unit in group if unit.lane is None or unit.lane.failure is None]


def _wrote(group: Sequence[Unit], results: Sequence[Written]) -> None:
    for unit in group:
        if unit.lane is not None:
            for sql, parameters, _ in unit.statements:
                if sql == APPEND:
                    unit.lane.acknowledged = parameters[1]
    _tell(list(zip(group, results, strict=True)))


def _tell(outcomes: Sequence[tuple[Unit, Written | StoreError]]) -> None:
    settle([(unit.done, outcome) for unit, outcome in outcomes if unit.done is not None])


def _stands_alone(unit: Unit) -> bool:
    """Whether later statements of it need what earlier ones gave back."""
    return any(parameters and parameters[0] is RETURNED for _, parameters, _ in unit.statements)


def _new_owner() -> str:
    return f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(4)}"
