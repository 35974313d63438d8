"""Owns checking a constrained reply: does the text keep the promise that the schema or the choices made?"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ...agents.model import ModelRequest

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def fault(request: ModelRequest, text: str) -> str | None:
    """What is wrong with a reply, in a few words; None when it may be passed on."""
    if request.choices:
        return None if text in request.choices else f"{text[:60]!r} is not one of the choices"
    if request.schema is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        return f"it is not valid JSON ({error})"
    except RecursionError:
        return "its JSON is nested too deeply"
    return mismatch(value, request.schema, request.schema)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def mismatch(value: Any, schema: Any, root: dict[str, Any], at: str = "reply") -> str | None:
    """The first place where `value` does not match `schema`, or None.

    Knows the keywords that engines can enforce: type, enum, const, properties, required,
    additionalProperties, items, lengths, counts, bounds, pattern, anyOf, oneOf, allOf and local $ref.
    Others are passed over, as engines do.
    """
    if schema is True or schema == {}:
        return None
    if schema is False:
        return f"{at} is not allowed"
    if "$ref" in schema:
        return mismatch(value, _resolve(schema["$ref"], root), root, at)
    return (
        _type_fault(value, schema, at)
        or _branch_fault(value, schema, root, at)
        or _bound_fault(value, schema, at)
        or _member_fault(value, schema, root, at)
    )


def _resolve(ref: str, root: dict[str, Any]) -> Any:
    node: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        if part:
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def _type_fault(value: Any, schema: dict[str, Any], at: str) -> str | None:
    names = schema.get("type")
    wanted = [names] if isinstance(names, str) else list(names or [])
    if wanted and not any(_is(value, name) for name in wanted):
        return f"{at} is not of type {' or '.join(wanted)}"
    if "enum" in schema and not any(_same(value, item) for item in schema["enum"]):
        return f"{at} is not one of {len(schema['enum'])} allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{at} is not {schema['const']!r}"
    return None


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return math.isfinite(value) and value.is_integer()
    return isinstance(value, _TYPES.get(name, (object,)))


def _branch_fault(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> str | None:
    for part in schema.get("allOf", ()):
        if found := mismatch(value, part, root, at):
            return found
    for key in ("anyOf", "oneOf"):
        faults = [mismatch(value, part, root, at) for part in schema.get(key, ())]
        if faults and None not in faults:
            return faults[0]
    return None


def _bound_fault(value: Any, schema: dict[str, Any], at: str) -> str | None:
    size: float
    if isinstance(value, str):
        low, high, size = schema.get("minLength"), schema.get("maxLength"), len(value)
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return f"{at} does not match the pattern {schema['pattern']}"
    elif isinstance(value, list):
        low, high, size = schema.get("minItems"), schema.get("maxItems"), len(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high, size = schema.get("minimum"), schema.get("maximum"), value
    else:
        return None
    if low is not None and size < low:
        return f"{at} is below its minimum of {low}"
    if high is not None and size > high:
        return f"{at} is above its maximum of {high}"
    return None


def _member_fault(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> str | None:
    if isinstance(value, list):
        items = schema.get("items", True)
        return next((f for i, v in enumerate(value) if (f := mismatch(v, items, root, f"{at}[{i}]"))), None)
    if not isinstance(value, dict):
        return None
    for name in schema.get("required", ()):
        if name not in value:
            return f"{at} lacks {name!r}"
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if found := mismatch(item, properties.get(name, others), root, f"{at}.{name}"):
            return found
    return None
