"""Options: the values that an enumerated parameter may take, and the correction of arguments that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class Option:
    """One value an enumerated parameter may take: the words people use for it, and what it means.

    `names` are full names (all of one must be said to mean it), `about` a description (some of it may be).
    """

    value: str
    names: tuple[str, ...] = ()
    about: str = ""


def options_of(
    model: type[BaseModel], names: Mapping[str, Mapping[str, list[str]]] | None = None
) -> dict[str, tuple[Option, ...]]:
    """The options of each enumerated parameter of a model; `names` gives other words for their values."""
    schema = model.model_json_schema()
    found: dict[str, tuple[Option, ...]] = {}
    for parameter, fragment in schema.get("properties", {}).items():
        known = (names or {}).get(parameter, {})
        values = enumerated(fragment, schema)
        if values:
            found[parameter] = tuple(Option(v, tuple(known.get(v, ()))) for v in values)
    return found


def enumerated(fragment: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """The texts that a schema fragment enumerates (following references and optional types), or none."""
    if "$ref" in fragment:
        return enumerated(schema["$defs"][fragment["$ref"].split("/")[-1]], schema)
    if "const" in fragment:
        return [fragment["const"]] if isinstance(fragment["const"], str) else []
    if "enum" in fragment:
        return [value for value in fragment["enum"] if isinstance(value, str)]
    parts = [
        *fragment.get("anyOf", ()),
        *([fragment["items"]] if isinstance(fragment.get("items"), dict) else []),
    ]
    return [value for part in parts for value in enumerated(part, schema)]


def correction(
    error: ValidationError, model: type[BaseModel], options: Mapping[str, tuple[Option, ...]]
) -> str:
    """What is wrong with the arguments, parameter by parameter, and what would be right."""
    parts: list[str] = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "arguments"
        name = str(problem["loc"][0]) if problem["loc"] else ""
        known = options.get(name, ())
        if problem["type"] == "missing":
            parts.append(f"{where} is missing")
        elif problem["type"] == "extra_forbidden":
            parts.append(f"{where} is not a parameter (it has: {', '.join(model.model_fields)})")
        elif known:
            parts.append(
                f"{where}={problem['input']!r} is not known; {nearest(str(problem['input']), known)}"
            )
        else:
            parts.append(f"{where}={problem['input']!r}: {problem['msg'].lower()}")
    return "; ".join(parts)


def nearest(said: str, options: tuple[Option, ...]) -> str:
    """The values closest to what was said, or the first few of them."""
    import difflib

    names = {name.lower(): option.value for option in options for name in (option.value, *option.names)}
    close = list(
        dict.fromkeys(names[key] for key in difflib.get_close_matches(said.lower(), names, n=4, cutoff=0.6))
    )
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"it is one of {', '.join(o.value for o in options[:8])}{' …' if len(options) > 8 else ''}"
