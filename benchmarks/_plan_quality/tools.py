"""The tools of a row as real tools of a crew: typed arguments and results from each source's way of describing them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from crewgraph import Agent, Crew
from crewgraph.runtime.errors import ToolError
from crewgraph.tools.options import options_of
from crewgraph.tools.tool import Tool

_PLAIN: dict[str, Any] = {
    "string": str, "str": str, "integer": int, "int": int, "number": float, "float": float, "double": float,
    "boolean": bool, "bool": bool, "any": Any, "null": None,
}  # fmt: skip
_LOOSE = ConfigDict(extra="forbid", protected_namespaces=())


@dataclass(frozen=True)
class Offer:
    """The crew that can do what a row offers; `names` tells what the source calls each tool. With
    `free`, plans are steps in words, and no tools are called. `parameters` tells of those that had to be called otherwise."""

    crew: Crew
    names: Mapping[str, str]
    free: bool = False
    parameters: Mapping[tuple[str, str], str] = field(default_factory=dict)


def in_words() -> Offer:
    """Two agents without tools, for plans whose steps are texts."""
    agents = [
        Agent("helper", "Do one step of what the user asks."),
        Agent("speaker", "Answer in plain words."),
    ]
    return Offer(Crew(agents, name="offered"), {}, free=True)


def offer(described: Sequence[Mapping[str, Any]]) -> Offer:
    """One agent that holds the described tools, or none."""
    names: dict[str, str] = {}
    tools: list[Tool] = []
    others: dict[tuple[str, str], str] = {}
    for entry in described:
        name = _usable(str(entry["name"]), names)
        names[name] = str(entry["name"])
        parameters, required = _parameters(entry)
        own = {given: given.lstrip("_") or "field" for given in parameters}
        others |= {(name, ours): theirs for theirs, ours in own.items() if ours != theirs}
        told = {own[n]: about for n, about in parameters.items()}
        tools.append(_tool(name, entry, told, {own[n] for n in required if n in own}))
    return Offer(
        Crew([Agent("helper", "Do what the user asks.", tools=tools)], name="offered"),
        names,
        parameters=others,
    )


def plain(field: str) -> str:
    """A field's name as a reference can say it."""
    return re.sub(r"[^A-Za-z0-9]", "_", field).lstrip("_") or "field"


def _usable(name: str, taken: Mapping[str, str]) -> str:
    short = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60]
    short = short if re.match(r"[A-Za-z_]", short) else f"_{short}"
    return short if short not in taken else f"{short}_{len(taken)}"


def _tool(name: str, entry: Mapping[str, Any], described: Mapping[str, Any], required: set[str]) -> Tool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a parameter may be called like a method of a model
        args = _model(f"{name}_arguments", described, required)
        returns = entry.get("returns")
        gives: Any = (
            _model(f"{name}_result", {plain(str(n)): d for n, d in returns.items()}, set(map(plain, returns)))
            if isinstance(returns, Mapping) and returns
            else Any
        )

    async def nothing(**_: Any) -> Any:
        raise ToolError("This tool is only planned with here.")

    about = str(entry.get("description") or name)
    return Tool(name, about, args, gives, nothing, options=options_of(args))


def _parameters(entry: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Name to description of each parameter, and which are required."""
    given = entry.get("parameters")
    needed: set[str] = {str(n) for n in entry.get("required") or ()}
    if isinstance(given, list):
        return {str(n): {} for n in given}, needed or {str(n) for n in given}
    if not isinstance(given, Mapping):
        return {}, needed
    if isinstance(given.get("properties"), Mapping):
        return dict(given["properties"]), set(given.get("required") or ())
    described: dict[str, Any] = {}
    for name, about in given.items():
        if isinstance(about, Mapping):
            described[str(name)] = about
            if about.get("required") is True:
                needed.add(str(name))
        else:
            described[str(name)] = {"type": "string", "description": str(about)}
    return described, needed


def _model(name: str, described: Mapping[str, Any], required: set[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter, about in described.items():
        told = about if isinstance(about, Mapping) else {"description": str(about)}
        kind = _kind(f"{name}_{parameter}", told)
        words = told.get("description")
        if parameter in required:
            fields[parameter] = (kind, Field(description=words))
        else:
            usual = told.get("default", told.get("default_value"))
            fields[parameter] = (kind | None if kind is not Any else Any, Field(usual, description=words))
    return create_model(name, __config__=_LOOSE, **fields)


def _kind(name: str, told: Mapping[str, Any]) -> Any:
    values = told.get("enum") or told.get("allowed_values") or told.get("possible_values")
    if isinstance(values, list) and values and all(isinstance(v, str | int | bool) for v in values):
        return Literal[tuple(values)]
    said = str(told.get("type", "string" if "description" in told else "any")).lower()
    if said in ("array", "list", "tuple"):
        items = told.get("items")
        entry = _kind(f"{name}_item", items) if isinstance(items, Mapping) and items else Any
        return GenericAlias(list, (entry,))
    if said in ("dict", "object"):
        inner = told.get("properties")
        if isinstance(inner, Mapping) and inner and all(re.match(r"[A-Za-z]", str(n)) for n in inner):
            needed = told.get("required")
            return _model(name, inner, set(needed) if isinstance(needed, list) else set())
        return dict[str, Any]
    return _PLAIN.get(said, Any)
