"""Session: the one connection through which a store writes, and whose advisory lock says that its owner lives.

Every write goes through the very session that holds the lock. So when another process can have the lock, no write of
this one can still be under way: PostgreSQL itself does the fencing, also for a process that is cut off but alive.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import asyncpg

from ...errors import StoreError
from ..sql.database import RETURNED, Lane, Refused, Unit, Written
from ..sql.statements import APPEND, BLOB, BLOB_REF, BULK, DROP_BLOBS
from .dialect import UNNEST, gives_back, translated
from .trouble import COMMAND_SECONDS, is_lost

_KEEPALIVE = {"tcp_keepalives_idle": "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "2"}
"""The server notices within three seconds that a machine is gone, and frees the lock."""

_ROWS_AT_ONCE = 5_000
_DURABILITY = {"NORMAL": "local", "FULL": "on"}
_BLOB_LOCK = 0x63726577_626C6F62


class Proof(NamedTuple):
    """How to find out whether a transaction whose commit was under way has happened."""

    results: list[Written]
    event: tuple[int, int, bytes] | None = None
    transaction: str = ""


class Broken(Exception):
    """Internal: the session is gone. Without a proof, nothing of what was being written has happened."""

    def __init__(self, cause: BaseException, proof: Proof | None = None) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.proof = proof


def lock_of(owner: str) -> int:
    """The advisory lock that this owner holds: 64 bits of a hash of its name."""
    return int.from_bytes(hashlib.sha256(f"crewgraph:{owner}".encode()).digest()[:8], "big", signed=True)


class Session:
    """A connection that holds its owner's lock. Make it with `open`."""

    def __init__(self, connection: asyncpg.Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner

    @classmethod
    async def open(
        cls, url: str, owner: str, *, synchronous: str, seconds: float, closed: Callable[[], None]
    ) -> Self:
        """Connect, end what is left of an earlier session of this owner, and hold its lock.

        `closed` is called when the connection is gone. Raises what asyncpg raises.
        """
        name = f"crewgraph {owner}"
        connection = await asyncpg.connect(
            url,
            timeout=seconds,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": name,
                "synchronous_commit": _DURABILITY[synchronous],
                "tcp_user_timeout": "3000",
                "lock_timeout": str(int(COMMAND_SECONDS * 500)),  # sooner, so that the session outlives it
                **_KEEPALIVE,
            },
        )
        try:
            _notice_silence(connection)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 "
                "AND datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user",
                name,
            )
            await connection.execute("SELECT pg_advisory_lock($1)", lock_of(owner))
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(lambda _: closed())
        return cls(connection, owner)

    @property
    def alive(self) -> bool:
        """Whether the connection is there, as far as is known."""
        return not self._connection.is_closed()

    async def fetch(self, sql: str) -> list[Any]:
        """Read rows. Raises what asyncpg raises."""
        found: list[Any] = await self._connection.fetch(sql)
        return found

    async def happened(self, proof: Proof) -> bool:
        """Whether the transaction has been committed, asked in a later session. Raises what asyncpg raises."""
        if proof.event is not None:
            run, seq, link = proof.event
            asked = "SELECT 1 FROM events WHERE run = $1 AND seq = $2 AND link = $3"
            return await self._connection.fetchval(asked, run, seq, link) is not None
        status = await self._connection.fetchval("SELECT pg_xact_status($1::text::xid8)", proof.transaction)
        return bool(status == "committed")

    async def check(self, lanes: Iterable[Lane]) -> None:
        """Fail those lanes whose run is another's by now, or has lost events. Raises what asyncpg raises."""
        known = {lane.number: lane for lane in lanes}
        asked = (
            "SELECT number, owner, (SELECT max(seq) FROM events WHERE run = number) FROM runs "
            "WHERE number = ANY($1::int[])"
        )
        found = {row[0]: (row[1], row[2] or 0) for row in await self._connection.fetch(asked, list(known))}
        for number, lane in known.items():
            owner, last = found.get(number, (None, 0))
            if owner != self._owner:
                lane.fail(lane.lost())
            elif last < lane.acknowledged:
                lane.fail(
                    StoreError(
                        f"PostgreSQL came back without the last events of run {lane.run_id} "
                        f"(it has {last} of {lane.acknowledged}): resume the run from what is there."
                    )
                )

    async def aclose(self) -> None:
        """Let the lock go."""
        self._connection.terminate() if not self.alive else await self._connection.close(
            timeout=COMMAND_SECONDS
        )

    def terminate(self) -> None:
        """Drop the connection at once."""
        self._connection.terminate()

    async def write(self, group: Sequence[Unit]) -> list[Written]:
        """Write these units in one transaction.

        Raises:
            Broken: the session is gone.
            Refused: a guard found nothing, and nothing was written; so with what asyncpg raises for a statement.
        """
        connection = self._connection
        proof: Proof | None = None
        begun = False
        try:
            rows = _only_events(group)
            if rows is not None and len(rows) <= _ROWS_AT_ONCE:  # one statement is a transaction by itself
                proof = Proof([Written(len(unit.statements)) for unit in group], _first_event(rows))
                if rows:
                    await self._bulk(APPEND, rows)
                return proof.results
            await connection.execute("BEGIN")
            begun = True
            results, rows = await self._statements(group)
            if rows:
                proof = Proof(results, _first_event(rows))
            else:
                proof = Proof(
                    results, transaction=await connection.fetchval("SELECT pg_current_xact_id()::text")
                )
            await connection.execute("COMMIT")
        except asyncio.CancelledError:
            connection.terminate()
            raise
        except Exception as error:
            if is_lost(error, connection):
                connection.terminate()
                raise Broken(error, proof) from None
            if begun:
                await self._roll_back()
            raise
        return results

    async def _roll_back(self) -> None:
        try:
            await self._connection.execute("ROLLBACK")
        except Exception as error:
            self._connection.terminate()
            raise Broken(error) from None

    async def _statements(self, group: Sequence[Unit]) -> tuple[list[Written], list[Sequence[Any]]]:
        """Run what is in these units; what each came to, and the rows of events among it."""
        bulk: dict[str, list[Sequence[Any]]] = {BLOB: [], BLOB_REF: [], APPEND: []}
        ahead = not any(_depends(unit) for unit in group)
        if ahead:  # what is only added comes first and together: nothing else in a group looks at it
            for unit in group:
                for sql, parameters, _ in unit.statements:
                    if sql in BULK:
                        bulk[sql].append(parameters)
        await self._keep_blobs_from_going(bulk[BLOB], group)
        for sql in bulk:
            await self._bulk(sql, bulk[sql])
        results = [await self._rest_of(unit, ahead, bulk) for unit in group]
        return results, bulk[APPEND]

    async def _rest_of(self, unit: Unit, ahead: bool, bulk: dict[str, list[Sequence[Any]]]) -> Written:
        done, returned = Written(), None
        waiting: list[Sequence[Any]] = []
        waiting_for = ""
        for sql, parameters, guard in unit.statements:
            if sql in BULK and ahead:
                done = Written(1)
                continue
            if parameters and parameters[0] is RETURNED:
                parameters = (returned, *parameters[1:])
            if waiting and sql != waiting_for:
                await self._bulk(waiting_for, waiting)
                waiting = []
            if sql in BULK:
                waiting_for = sql
                waiting.append(parameters)
                bulk[sql].append(parameters)
                continue
            done = await self._one(sql, parameters)
            if gives_back(sql):
                returned = done.value
            if guard and not done.changed:
                raise Refused("Nothing was there to change.")
        await self._bulk(waiting_for, waiting)
        return done

    async def _one(self, sql: str, parameters: Sequence[Any]) -> Written:
        if gives_back(sql):
            row = await self._connection.fetchrow(translated(sql), *parameters)
            return Written(0) if row is None else Written(1, row[0])
        status: str = await self._connection.execute(translated(sql), *parameters)
        return Written(int(status.rpartition(" ")[2]))

    async def _bulk(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[begin : begin + _ROWS_AT_ONCE]
            await self._connection.execute(UNNEST[sql], *map(list, zip(*part, strict=True)))

    async def _keep_blobs_from_going(self, added: Sequence[Any], group: Sequence[Unit]) -> None:
        """A large value that one process refers to anew must not be one that another is just taking away."""
        if any(statement.sql == DROP_BLOBS for unit in group for statement in unit.statements):
            await self._connection.execute("SELECT pg_advisory_xact_lock($1)", _BLOB_LOCK)
        elif added or any(statement.sql == BLOB for unit in group for statement in unit.statements):
            await self._connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _BLOB_LOCK)


def _depends(unit: Unit) -> bool:
    return any(parameters and parameters[0] is RETURNED for _, parameters, _ in unit.statements)


def _only_events(group: Sequence[Unit]) -> list[Sequence[Any]] | None:
    rows: list[Sequence[Any]] = []
    for unit in group:
        for sql, parameters, _ in unit.statements:
            if sql != APPEND or parameters[0] is RETURNED:
                return None
            rows.append(parameters)
    return rows


def _first_event(rows: Sequence[Sequence[Any]]) -> tuple[int, int, bytes] | None:
    return (rows[0][0], rows[0][1], rows[0][7]) if rows else None


def refusal_of(unit: Unit, error: Exception) -> StoreError:
    """What to tell of a unit that PostgreSQL refused."""
    if isinstance(error, asyncpg.UniqueViolationError) and unit.lane is not None:
        return unit.lane.fail(unit.lane.lost())  # somebody else has written the run's next event
    if isinstance(error, StoreError):
        refused: StoreError = error
    elif isinstance(error, asyncpg.InsufficientResourcesError):
        refused = StoreError(f"PostgreSQL cannot write ({error}): free some space, then resume the run.")
    else:
        refused = StoreError(
            f"PostgreSQL refused what was to be written ({error.args[0] if error.args else error})."
        )
    return refused if unit.lane is None else unit.lane.fail(refused)


def _notice_silence(connection: asyncpg.Connection) -> None:
    """Have the system notice within seconds that the server is gone, also while nothing is sent."""
    transport = getattr(connection, "_transport", None)  # asyncpg offers no other way to its socket
    line = transport.get_extra_info("socket") if transport is not None else None
    if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 1),
        ("TCP_KEEPINTVL", 1),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", 3000),
    ):
        if hasattr(socket, option):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
