"""Trouble with PostgreSQL: what says that it has gone, how long to wait for it, and the sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ...errors import StoreError

COMMAND_SECONDS = 10.0
"""A command that takes longer is given up, and the session with it."""

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)


def is_lost(error: BaseException, connection: asyncpg.Connection | None = None) -> bool:
    """Whether the error says that the connection is gone or cannot be had, not that a statement was wrong."""
    return isinstance(error, _LOST) or (connection is not None and connection.is_closed())


def refusal(name: str, error: BaseException) -> StoreError:
    """The one sentence for a database that cannot be used."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        mend = "check the user and the password in its URL"
    elif isinstance(error, asyncpg.InvalidCatalogNameError):
        mend = "create it with createdb, or name another one"
    elif isinstance(error, ValueError):
        mend = "its URL is postgresql://user:password@host:port/database"
    elif is_lost(error):
        mend = "check that PostgreSQL runs there and can be reached"
    else:
        mend = "look into PostgreSQL's log"
    return StoreError(f"The database {name} cannot be used ({reason}): {mend}.")


def waits() -> Iterator[float]:
    """Seconds to wait before trying again, for ever."""
    wait = 0.05
    while True:
        yield wait
        wait = min(wait * 2, 1.0)


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
        user, _, place = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{place}"))
    except ValueError:
        return "postgresql://…"
