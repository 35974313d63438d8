"""From a typed Python function to the JSON schema of a tool: hints give the types, the docstring the words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..runtime.errors import InvalidCrew
from .caller import Caller
from .effects import IdempotencyKey

_ARGS = re.compile(r"^\s*(?:Args|Arguments|Parameters)\s*:\s*$", re.IGNORECASE)
_SECTION = re.compile(r"^\s*(?:Returns?|Raises?|Yields?|Examples?|Notes?)\s*:\s*$", re.IGNORECASE)
_ENTRY = re.compile(r"^\s*\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")


def split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The description, and one description per parameter from an `Args:` section (Google style)."""
    about: list[str] = []
    entries: dict[str, str] = {}
    inside, current = "about", ""
    for line in inspect.cleandoc(text).splitlines():
        if _ARGS.match(line):
            inside = "args"
        elif _SECTION.match(line):
            inside = "other"
        elif inside == "about":
            about.append(line.strip())
        elif (
            inside == "args"
            and (entry := _ENTRY.match(line))
            and (not current or not line.startswith(" " * 8))
        ):
            current = entry[1]
            entries[current] = entry[2].strip()
        elif inside == "args" and current and line.strip():
            entries[current] += " " + line.strip()
    return " ".join(part for part in about if part), entries


class Signature(NamedTuple):
    """What a function says of itself: its arguments, its result, its words, the parameters for the key and the caller."""

    args: type[BaseModel]
    returns: Any
    description: str
    key: str | None
    caller: str | None = None


def read_signature(fn: Callable[..., Any], name: str) -> Signature:
    """The pydantic model of a function's parameters, its return type, its description.

    A parameter annotated `IdempotencyKey` is no argument: it stands apart as `key`, one annotated
    `Caller` as `caller`.

    Raises:
        InvalidCrew: a parameter has no type hint, a hint names what is not there, two parameters take the key or
            the caller, or the function takes `*args` or `**kwargs`.
    """
    description, entries = split_docstring(fn.__doc__ or "")
    try:
        hints = get_type_hints(fn, include_extras=True)
    except NameError as error:
        raise InvalidCrew(
            f"A type of the tool {name!r} cannot be read ({error}): import or define it at the top of the file."
        ) from None
    fields: dict[str, Any] = {}
    keys: list[str] = []
    callers: list[str] = []
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidCrew(
                f"The tool {name!r} takes *{parameter.name}: give each parameter its own name and type."
            )
        if parameter.name not in hints:
            raise InvalidCrew(
                f"The tool {name!r} has no type for {parameter.name!r}: write one, as in '{parameter.name}: str'."
            )
        if hints[parameter.name] is IdempotencyKey:
            keys.append(parameter.name)
            continue
        if hints[parameter.name] is Caller:
            callers.append(parameter.name)
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (
            hints[parameter.name],
            Field(default, description=entries.get(parameter.name)),
        )
    for what, names in (("key", keys), ("caller", callers)):
        if len(names) > 1:
            raise InvalidCrew(
                f"The tool {name!r} takes the {what} as {' and '.join(names)}: one parameter is enough."
            )
    model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    returns = hints.get("return", Any)
    return Signature(model, returns, description, keys[0] if keys else None, callers[0] if callers else None)
