"""Rows of a run, read back: opened, their large values put in, their chain checked."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import JournalTampered
from ..events import Event
from ..journalling.row import EventRow, Large, check_links, decode, large_parts
from .seal import Seal
from .threads.quoting import Quoting, is_own, plain_digest

_OWN = frozenset(
    {
        "run_started",
        "run_resumed",
        "plan_made",
        "run_finished",
        "run_erred",
        "run_cancelled",
        "run_paused",
        "run_forked",
    }
)
"""Events that speak of the run they are in, and so not of one that it carries a task of."""


def rest_mark(link: bytes, secret: bytes) -> bytes:
    """What a run at rest keeps of its last link, so that a tail that was cut off is noticed."""
    return hashlib.blake2b(link, digest_size=16, key=secret).digest() if secret else link


def opened(found: Iterable[tuple[Any, ...]], seal: Seal) -> list[EventRow]:
    """Rows from what the database keeps, without their large values."""
    rows: list[EventRow] = []
    for seq, at, kind, task_id, key, body, link in found:
        key, body = seal.open_row(key, body)
        rows.append(EventRow(seq, at, kind, task_id, key, body, bytes(link)))
    return rows


def holds_large(rows: Iterable[EventRow]) -> bool:
    """Whether a row has values that are kept apart."""
    return any(large_parts(row) for row in rows)


def filled(
    rows: Iterable[EventRow], blobs: Mapping[str, str], seal: Seal, quoting: Quoting | None = None
) -> list[EventRow]:
    """The rows with their large values, from those that the database keeps, as they were journalled."""
    texts: dict[str, str] = {}
    for digest, kept in blobs.items():
        text = seal.open(kept)
        own = quoting is not None and is_own(digest)
        texts[plain_digest(digest)] = quoting.restored_large(text) if own and quoting is not None else text
    whole: list[EventRow] = []
    for row in rows:
        if quoting is not None:
            row = quoting.restored(row)
        if parts := large_parts(row):
            large = [
                Large(name, digest, texts.get(seal.digest(digest), "null")) for name, digest in parts.items()
            ]
            row = row._replace(large=tuple(large))
        whole.append(row)
    return whole


def check(run_id: str, rows: list[EventRow], head: bytes | None, seal: Seal) -> None:
    """Go through the chain of a run; `head` is what it kept when it came to rest.

    Raises:
        JournalTampered: a row is not what was written, or one is missing; the message says which.
    """
    last = check_links(run_id, rows, seal.secret)
    if head is None or hmac.compare_digest(rest_mark(last, seal.secret), head):
        return
    if not any(
        hmac.compare_digest(rest_mark(row.link, seal.secret), head) for row in rows
    ):  # it has gone on since
        raise JournalTampered(
            f"Run {run_id} was tampered with: what came after event {len(rows)} is missing. "
            "Do not trust it; restore the database from a copy, or delete the run."
        )


def of_tasks(rows: Iterable[EventRow]) -> list[EventRow]:
    """Those rows of a run that carries a task of another one which belong to the other one's story."""
    return [row for row in rows if row.kind not in _OWN]


def merged(own: Iterable[EventRow], elsewhere: Iterable[list[EventRow]]) -> list[Event]:
    """The events of a run and of those that carried its tasks, by time, each run's in its own order."""
    queues = [list(own), *map(of_tasks, elsewhere)]
    order: list[tuple[float, int, int, EventRow]] = []
    for number, queue in enumerate(queues):
        latest = 0.0
        for row in queue:
            latest = max(latest, row.at)  # a clock that was set back does not turn events round
            order.append((latest, number, row.seq, row))
    return [decode(row) for _, _, _, row in sorted(order, key=_place)]


def _place(entry: tuple[float, int, int, EventRow]) -> tuple[float, int, int]:
    return entry[:3]
