"""EventRow: one journalled event as a store keeps it, and the two ways between it and the event.

The columns that are looked up (`kind`, `task_id`, `key`) stand apart, everything else is the JSON `body`,
without fields that have their default. A step costs about 200 bytes beyond its payload.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, get_args

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from .events import EVENT, Event

_plain = json.JSONEncoder(ensure_ascii=False).encode
_COLUMNS = {"kind", "at", "task_id", "key"}


class EventRow(NamedTuple):
    """One event of a run: its place (`seq`, counted from 1), when, what, and the rest as JSON."""

    seq: int
    at: float
    kind: str
    task_id: str
    key: str
    body: str


def encode(seq: int, event: Event) -> EventRow:
    """The row that holds this event."""
    try:
        body = event.model_dump_json(exclude=_COLUMNS, exclude_defaults=True)
    except PydanticSerializationError:  # half a character, which UTF-8 has no form for
        body = json.dumps(without_half_characters(event.model_dump(exclude=_COLUMNS, exclude_defaults=True)))
    return EventRow(seq, event.at, event.kind, getattr(event, "task_id", ""), getattr(event, "key", ""), body)


def decode(row: EventRow) -> Event:
    """The event that this row holds."""
    fields: dict[str, Any] = json.loads(row.body)
    fields["kind"] = row.kind
    fields["at"] = row.at
    names = EVENT_FIELDS.get(row.kind, frozenset())
    if "task_id" in names:
        fields["task_id"] = row.task_id
    if "key" in names:
        fields["key"] = row.key
    return EVENT.validate_python(fields)


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


EVENT_FIELDS: dict[str, frozenset[str]] = {
    model.model_fields["kind"].default: frozenset(model.model_fields)
    for model in get_args(get_args(Event)[0])
}
"""The field names of each kind of event."""
