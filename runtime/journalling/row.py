"""EventRow: one journalled event as a store keeps it, and the two ways between it and the event.

The columns that are looked up (`kind`, `task_id`, `key`) stand apart, everything else is the JSON `body`,
without fields that have their default. A value whose JSON is longer than 64 KiB is `Large`: the body names it by
its hash, and the store keeps it once, however many events hold it. `link` chains each row to the one before it,
so that a change made later shows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import marshal
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_args

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..errors import JournalTampered
from ..events import EVENT, Event

LARGE_BYTES = 64 * 1024
"""Longer values are kept apart, by their content."""

_plain = json.JSONEncoder(ensure_ascii=False).encode
_COLUMNS = {"kind", "at", "task_id", "key"}
_LARGE = "large"
_CAN_BE_LARGE = ("inputs", "output", "result", "about", "answer", "tasks", "request", "error", "text")


class Large(NamedTuple):
    """A value kept apart: the field of the event that it is, the SHA-256 of its JSON in hex, the JSON."""

    field: str
    digest: str
    text: str


class EventRow(NamedTuple):
    """One event of a run: its place (`seq`, counted from 1), when, what, and the rest as JSON."""

    seq: int
    at: float
    kind: str
    task_id: str
    key: str
    body: str
    link: bytes = b""
    large: tuple[Large, ...] = ()


def encode(seq: int, event: Event, clean: Callable[[str], str] | None = None) -> EventRow:
    """The row that holds this event. Not linked yet: see `link`. `clean` takes secrets out of the JSON."""
    try:
        body = event.model_dump_json(exclude=_COLUMNS, exclude_defaults=True)
    except PydanticSerializationError:  # half a character, which UTF-8 has no form for
        body = json.dumps(without_half_characters(event.model_dump(exclude=_COLUMNS, exclude_defaults=True)))
    if clean is not None:
        body = clean(body)
    large: tuple[Large, ...] = ()
    if len(body) > LARGE_BYTES:
        body, large = _apart(body)
    held = event.__dict__  # asking a model for a field it does not have is slow
    task_id, key = held.get("task_id", ""), held.get("key", "")
    return EventRow(seq, event.at, event.kind, task_id, key, body, b"", large)


Packed = bytes | tuple[EventRow, ...]
"""Rows that are kept but seldom looked at, in half the memory: see `packed`."""


def packed(rows: Iterable[EventRow]) -> Packed:
    """The rows in as little memory as can be, in this process. Large values are not copied for it."""
    kept = tuple(rows)
    if any(row.large for row in kept):
        return kept
    return marshal.dumps([tuple(row) for row in kept])


def unpacked(kept: Packed) -> tuple[EventRow, ...]:
    """The rows that were packed."""
    if isinstance(kept, tuple):
        return kept
    return tuple(EventRow(*row) for row in marshal.loads(kept))


def fields(row: EventRow) -> dict[str, Any]:
    """The body of a row as JSON data, with what is kept apart put back in its place."""
    found: dict[str, Any] = json.loads(row.body)
    if row.large:
        found.pop(_LARGE)
        for part in row.large:
            found[part.field] = json.loads(part.text)
    return found


def large_parts(row: EventRow) -> dict[str, str]:
    """For each field of a row that is kept apart, the hash under which it is kept."""
    if f'"{_LARGE}"' not in row.body:
        return {}
    named: dict[str, str] = json.loads(row.body).get(_LARGE, {})
    return named


def decode(row: EventRow) -> Event:
    """The event that this row holds."""
    found = fields(row)
    found["kind"] = row.kind
    found["at"] = row.at
    names = EVENT_FIELDS.get(row.kind, frozenset())
    if "task_id" in names:
        found["task_id"] = row.task_id
    if "key" in names:
        found["key"] = row.key
    return EVENT.validate_python(found)


def link(before: bytes, row: EventRow, secret: bytes = b"") -> bytes:
    """The hash (16 bytes) that chains `row` to the link `before` it; keyed where there is a `secret`."""
    said = f"{row.seq}\0{row.at!r}\0{row.kind}\0{row.task_id}\0{row.key}\0{row.body}"
    return hashlib.blake2b(before + said.encode(), digest_size=16, key=secret).digest()


def check_links(run_id: str, rows: Iterable[EventRow], secret: bytes = b"") -> bytes:
    """Go through the chain of a run's rows from its first; the last link.

    Raises:
        JournalTampered: a row is not what was written, or one is missing; the message says which.
    """
    before, expected = b"", 1
    for row in rows:
        if row.seq != expected:
            raise JournalTampered(
                f"Run {run_id} was tampered with: event {expected} is missing (event {row.seq} comes next). "
                "Do not trust it; restore the database from a copy, or delete the run."
            )
        if not hmac.compare_digest(before := link(before, row, secret), row.link):
            raise tampered(run_id, row)
        for part in row.large:
            if hashlib.sha256(part.text.encode()).hexdigest() != part.digest:
                raise tampered(run_id, row)
        expected += 1
    return before


def tampered(run_id: str, row: EventRow) -> JournalTampered:
    """The sentence for a row that is not what was written."""
    of = f" of task {row.task_id!r}" if row.task_id else ""
    return JournalTampered(
        f"Run {run_id} was tampered with: event {row.seq} ({row.kind}{of}) is not what was written. "
        "Do not trust it; restore the database from a copy, or delete the run."
    )


def jsonable(value: object) -> JsonValue:
    """The value as plain JSON data: tuples become lists, dataclasses and models become objects.

    Raises:
        TypeError: the value holds something that JSON has no form for.
    """
    try:
        plain: JsonValue = to_jsonable_python(value, inf_nan_mode="constants")
        _plain(plain).encode()
    except UnicodeEncodeError:
        whole: JsonValue = without_half_characters(to_jsonable_python(value, inf_nan_mode="constants"))
        return whole
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(f"{type(value).__name__} is not JSON: {error}") from None
    return plain


def without_half_characters(value: Any) -> Any:
    """The JSON value with each lone surrogate, half a character, replaced by a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {without_half_characters(name): without_half_characters(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_half_characters(part) for part in value]
    return value


def _apart(body: str) -> tuple[str, tuple[Large, ...]]:
    """The body without its large values, and those."""
    whole: dict[str, Any] = json.loads(body)
    large: list[Large] = []
    for name in _CAN_BE_LARGE:
        if name in whole:
            text = _plain(whole[name])
            if len(text) > LARGE_BYTES:
                large.append(Large(name, hashlib.sha256(text.encode()).hexdigest(), text))
                del whole[name]
    if large:
        whole[_LARGE] = {part.field: part.digest for part in large}
    return _plain(whole), tuple(large)


EVENT_FIELDS: dict[str, frozenset[str]] = {
    model.model_fields["kind"].default: frozenset(model.model_fields)
    for model in get_args(get_args(Event)[0])
}
"""The field names of each kind of event."""
