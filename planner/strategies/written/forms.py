"""Forms: the pieces of a JSON schema, put together and shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def renamed(node: Any, prefix: str) -> Any:
    """A tool's schema, or a part of one, whose definitions are called after the tool."""
    if isinstance(node, dict):
        return {
            key: f"#/$defs/{prefix}.{value.rpartition('/')[2]}"
            if key == "$ref" and isinstance(value, str)
            else renamed(value, prefix)
            for key, value in node.items()
        }
    return [renamed(part, prefix) for part in node] if isinstance(node, list) else node


def used(node: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions that are referred to, from wherever."""
    found: dict[str, Any] = {}
    left = [node]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            name = str(part.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in found:
                found[name] = definitions[name]
                left.append(definitions[name])
    return {name: body for name, body in definitions.items() if name in found}


def merged(plain: dict[str, Any], references: list[str]) -> dict[str, Any]:
    """Values, or references. A free text can hold a reference as it is; saying so twice only slows the engine."""
    if not references or (plain.get("type") == "string" and "enum" not in plain):
        return plain
    if plain.keys() == {"enum"}:
        return {"enum": distinct([*plain["enum"], *references])}
    return {"anyOf": [plain, {"enum": references}]}


def either(forms: list[dict[str, Any]]) -> dict[str, Any]:
    """One of these forms."""
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def ref(name: str) -> dict[str, Any]:
    """The definition of that name."""
    return {"$ref": f"#/$defs/{name}"}


def object_of(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """An object with these properties and no others; all of them are required unless said otherwise."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def distinct(values: Sequence[Any]) -> list[Any]:
    """Each once, in order. Types need not be hashable."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
