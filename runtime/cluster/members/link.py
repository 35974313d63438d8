"""Link: a PostgreSQL session that notices within seconds, on both sides, that the other one is gone."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.rows import TupleRow

from ...errors import StoreError

Link = psycopg.AsyncConnection[TupleRow]

PATIENCE_MS = 2000
"""After so long without an answer the other side counts as gone (a little more, where nothing was being sent)."""

_SERVER_SIDE = {
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": str(PATIENCE_MS),
    # Sessions here wait for days, in a lock or for a message: no limit of the server's may end them.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    # So that a session waiting for a lock ends with its client, and is not granted the lock after it.
    "client_connection_check_interval": "1000",
}
_CLIENT_SIDE = {
    "keepalives": "1",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": str(PATIENCE_MS),
}
_DRIVER = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")


def plain_url(url: str) -> str:
    """The URL without a driver's name, as PostgreSQL's own library reads it.

    Raises:
        StoreError: it is no PostgreSQL URL.
    """
    if not _DRIVER.match(url):
        raise StoreError(
            "A cluster works on PostgreSQL: give --database postgresql://user@host/name, or set CREWGRAPH_DATABASE."
        )
    return _DRIVER.sub("postgresql://", url, count=1)


def lively_url(url: str) -> str:
    """The URL with settings by which connections notice soon that the server is gone. Raises `StoreError`."""
    parts = urlsplit(plain_url(url))
    query = urlencode({**_CLIENT_SIDE, "connect_timeout": "10", **dict(parse_qsl(parts.query))})
    return urlunsplit(parts._replace(query=query))


async def connect(url: str, name: str) -> Link:
    """Open a session; `name` is how the server's list of sessions shows it.

    Raises:
        StoreError: the server does not answer, or refuses.
    """
    try:
        link = await psycopg.AsyncConnection.connect(
            lively_url(url), autocommit=True, prepare_threshold=None, application_name=name
        )
        # In a list of its own: a setting that this server does not know must not stop the others.
        for setting, value in _SERVER_SIDE.items():
            try:
                await link.execute("SELECT set_config(%s, %s, false)", (setting, value))
            except psycopg.errors.UndefinedObject:
                continue
    except (psycopg.Error, OSError) as error:
        raise refused(error) from None
    return link


def refused(error: BaseException) -> StoreError:
    """The sentence for a server that did not answer, or said no."""
    said = " ".join(str(error).split()) or type(error).__name__
    return StoreError(f"PostgreSQL cannot be used ({said}): check that it runs and that the URL is right.")


LOCKS = 0x63726577
"""The first half of every advisory lock that stands for a living worker ("crew" in ASCII)."""


def lock_number(executor: str) -> int:
    """The second half: 31 bits of a hash of the worker's executor id."""
    digest = hashlib.sha256(executor.encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
