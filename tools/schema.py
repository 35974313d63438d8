"""From a typed Python function to the JSON schema of a tool: hints give the types, the docstring the words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..runtime.errors import InvalidCrew

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


def arguments_model(fn: Callable[..., Any], name: str) -> tuple[type[BaseModel], Any, str]:
    """The pydantic model of a function's parameters, its return type, and its description.

    Raises:
        InvalidCrew: a parameter has no type hint, a hint names what is not there, or the
            function takes `*args` or `**kwargs`.
    """
    description, entries = split_docstring(fn.__doc__ or "")
    try:
        hints = get_type_hints(fn, include_extras=True)
    except NameError as error:
        raise InvalidCrew(
            f"A type of the tool {name!r} cannot be read ({error}): import or define it at the top of the file."
        ) from None
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidCrew(
                f"The tool {name!r} takes *{parameter.name}: give each parameter its own name and type."
            )
        if parameter.name not in hints:
            raise InvalidCrew(
                f"The tool {name!r} has no type for {parameter.name!r}: write one, as in '{parameter.name}: str'."
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (
            hints[parameter.name],
            Field(default, description=entries.get(parameter.name)),
        )
    model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    return model, hints.get("return", Any), description
