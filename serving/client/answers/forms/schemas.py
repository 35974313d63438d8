"""Owns what a JSON schema must be before it is sent: valid, with local references only, and compiled once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .....runtime.errors import InvalidSchema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Path = tuple[str | int, ...]

ONE = frozenset(
    "items additionalProperties not if then else contains propertyNames unevaluatedItems "
    "unevaluatedProperties additionalItems contentSchema".split()
)
"""Keywords that hold one schema."""

MANY = frozenset(["anyOf", "oneOf", "allOf", "prefixItems", "items"])
"""Keywords that hold a list of schemas."""

NAMED = frozenset(
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"]
)
"""Keywords that hold schemas by name."""


def compiled(schema: Any, what: str = "The schema") -> Validator:
    """A validator of `schema`. Raises `InvalidSchema`, which says where `what` is wrong."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    if not isinstance(schema, dict):
        raise InvalidSchema(f"{what} is not an object; give a JSON schema such as a pydantic model's.")
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSchema(f"{what} is not plain JSON ({error}); leave out what is not.") from error
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        if not _surely_a_schema(schema):
            kind.check_schema(schema)
    except SchemaError as error:
        at = pointer(tuple(error.absolute_path))
        raise InvalidSchema(
            f"{what} is wrong at {at}: {shortened(error.message)}; correct it there."
        ) from error
    _check_references(schema, what)
    return kind(schema, registry=Registry(), format_checker=_formats())


def subschemas(schema: Any, at: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every schema inside `schema`, itself first, with where it stands; what is data (enum, const) is none."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for key, value in schema.items():
        if key in NAMED and isinstance(value, dict):
            for name, part in value.items():
                yield from subschemas(part, (*at, key, name))
        elif key in MANY and isinstance(value, list):
            for place, part in enumerate(value):
                yield from subschemas(part, (*at, key, place))
        elif key in ONE:
            yield from subschemas(value, (*at, key))


def resolved(ref: str, root: dict[str, Any]) -> Any:
    """What a local reference (``#/...``) names. Raises LookupError: nothing."""
    node: Any = root
    for part in ref.removeprefix("#").removeprefix("/").split("/") if ref != "#" else ():
        name = part.replace("~1", "/").replace("~0", "~")
        key: Any = int(name) if isinstance(node, list) and name.isdigit() else name
        node = node[key]
    return node


def value_of(text: str) -> Any:
    """The value that a text is in JSON. Raises ValueError (RecursionError, where it is nested too deeply)."""
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def problem(validator: Validator, value: Any, of: str = "reply") -> str | None:
    """Where `value` breaks the schema, and how, in a few words; None where it keeps it."""
    from jsonschema.exceptions import best_match

    try:
        if validator.is_valid(value):
            return None
        worst = best_match(validator.iter_errors(value))
    except RecursionError:
        return f"{of} is nested too deeply to be checked"
    if worst is None:
        return None
    at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in worst.absolute_path)
    return f"{of}{at}: {shortened(worst.message)}"


def pointer(path: Path) -> str:
    """A place in a schema, as its references write it."""
    return "/".join(["#", *(str(part).replace("~", "~0").replace("/", "~1") for part in path)])


def shortened(message: str, most: int = 160) -> str:
    """A message that may quote a whole value, in one line of at most `most` characters."""
    line = " ".join(message.split())
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-(most // 2 - 5) :]}"


def _surely_a_schema(schema: dict[str, Any]) -> bool:
    """Whether it is a schema, found out in a thousandth of the time; where not, the slow way says what is wrong.

    A plan's schema is made for each request, and may have 100,000 characters.
    """
    try:
        import jsonschema_rs
    except ImportError:  # in vLLM's own environment, where crewgraph may be on the path alone
        return False
    try:
        if not jsonschema_rs.meta.is_valid(schema):
            return False
        for _, part in subschemas(schema):
            for pattern in (part.get("pattern", ""), *part.get("patternProperties", ())):
                re.compile(pattern)
    except (jsonschema_rs.ReferencingError, ValueError, TypeError, RecursionError, re.error):
        return False
    return True


def _check_references(schema: dict[str, Any], what: str) -> None:
    for path, part in subschemas(schema):
        at = pointer(path)
        for key in ("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"):
            if key in part:
                raise InvalidSchema(
                    f"{what} uses {key} at {at}, which engines do not know; refer by '#/$defs/NAME' instead."
                )
        if path and "$id" in part and isinstance(part["$id"], str):
            raise InvalidSchema(f"{what} has an $id inside it, at {at}; leave it out.")
        if "$ref" in part:
            _check_reference(part["$ref"], schema, at, what)


def _check_reference(ref: Any, root: dict[str, Any], at: str, what: str) -> None:
    seen: set[str] = set()
    while True:
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            raise InvalidSchema(
                f"{what} refers to {ref!r} at {at}, which lies outside it; put it under $defs and refer to it "
                "by '#/$defs/NAME'."
            )
        if ref in seen:
            raise InvalidSchema(f"{what} refers only to itself at {at}; say what is to stand there.")
        seen.add(ref)
        try:
            part = resolved(ref, root)
        except (LookupError, TypeError) as error:
            raise InvalidSchema(
                f"{what} refers to {ref!r} at {at}, and it has no such part; add it."
            ) from error
        if not isinstance(part, dict | bool):
            raise InvalidSchema(f"{what} refers to {ref!r} at {at}, which is no schema; refer to one.")
        if not isinstance(part, dict) or "$ref" not in part:
            return
        ref = part["$ref"]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _formats() -> Any:
    """The formats that engines write and pydantic reads. All others are remarks, as the standard says."""
    import datetime
    import uuid

    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    reads = {
        "date": datetime.date.fromisoformat,
        "time": datetime.time.fromisoformat,
        "date-time": datetime.datetime.fromisoformat,
        "uuid": uuid.UUID,
    }
    for name, read in reads.items():
        checker.checks(name, raises=ValueError)(_reader(read))
    return checker


def _reader(read: Any) -> Any:
    def reads(value: object) -> bool:
        if isinstance(value, str):
            read(value)
        return True

    return reads
