"""Typed results of steps: from Python to JSON and back, and recorded errors made into exceptions again."""

from __future__ import annotations

import builtins
from functools import lru_cache
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from ..errors import CrewgraphError
from ..events import StepErred
from ..journalling.row import jsonable

JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)
"""The adapter of results that are JSON already."""


def adapter_of(returns: Any) -> TypeAdapter[Any]:
    """What reads and writes results of this type."""
    if returns is JsonValue or returns is None:
        return JSON
    try:
        return _cached(returns)
    except TypeError:  # a type that cannot be hashed
        return TypeAdapter(returns)


def to_json(value: object, adapter: TypeAdapter[Any], where: str) -> JsonValue:
    """The value as JSON.

    Raises:
        TypeError: it is not what the step (named by `where`) is said to return.
    """
    try:
        if adapter is JSON:
            return jsonable(value)
        return jsonable(
            adapter.dump_python(value, mode="json", by_alias=True, round_trip=True, warnings="error")
        )
    except (TypeError, PydanticSerializationError) as error:
        raise TypeError(
            f"{where} gave a {type(value).__name__}, "
            f"which cannot be kept as what the step is said to return: {error}"
        ) from None


def from_json(output: JsonValue, adapter: TypeAdapter[Any]) -> Any:
    """The value that this JSON holds. Raises `TypeError`: it is not what the step is said to return."""
    if adapter is JSON:
        return output
    try:
        return adapter.validate_python(output)
    except ValidationError as error:
        raise TypeError(
            f"The journalled result cannot be read as what the step is said to return: {error}"
        ) from None


def recorded_error(event: StepErred) -> Exception:
    """The exception that was raised when the step was run, as near as its code tells."""
    pending: list[type[CrewgraphError]] = [CrewgraphError]
    while pending:
        kind = pending.pop()
        if kind.__dict__.get("code") == event.code:
            return kind(event.error)
        pending.extend(kind.__subclasses__())
    builtin = getattr(builtins, event.code, None)
    if isinstance(builtin, type) and issubclass(builtin, Exception):
        try:
            return builtin(event.error)
        except TypeError:
            pass
    return CrewgraphError(event.error)


@lru_cache(maxsize=256)
def _cached(returns: Any) -> TypeAdapter[Any]:
    return TypeAdapter(returns)
