"""Parameters: what a tool asks for, in words that can be looked for in a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel

from ....tools.builtin.calculate import EXPRESSION
from ....tools.builtin.table import ORDINAL
from ....tools.knowledge.documents import QUERY
from ....tools.text import STOPWORDS, tokens
from ....tools.tool import Tool

Kind = Literal["integer", "number", "boolean", "text", "date", "choice", "list", "object", "any"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|[_\-.:/]+")
_QUOTED = re.compile(r"['\"“‘`]([^'\"”’`]{1,40})['\"”’`]")
_DATE_WORDS = frozenset({"date", "day", "deadline", "日期"})
_DATE_FORM = re.compile(r"\b(?:yyyy|yy|dd|mm)\b(?:[-/. ]?(?:yyyy|yy|dd|mm))+", re.IGNORECASE)


def worded(name: str) -> str:
    """A name as words: ``travelTime``, ``travel_time`` and ``travel.time`` are all "travel time"."""
    return " ".join(part for part in _CAMEL.split(name) if part)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name as tokens, what its description says, of which kind its values are.

    `choices` are values that it enumerates or that its description puts in quotation marks; `closed` says that there
    are no others. `inner` describes the items of a list (one) or the fields of an object. `form` is the way in which
    its description asks for a date.
    """

    name: str
    words: tuple[str, ...]
    about: str
    tokens: frozenset[str]
    kind: Kind
    required: bool
    choices: tuple[Any, ...] = ()
    closed: bool = False
    inner: tuple[Parameter, ...] = ()
    form: str = ""
    default: Any = None
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def dated(self) -> bool:
        """Whether it takes a day."""
        return self.kind in ("date", "text") and (
            self.kind == "date" or bool(self.form) or bool(_DATE_WORDS & set(self.words))
        )


@lru_cache(maxsize=4096)
def parameters(tool: Tool) -> tuple[Parameter, ...]:
    """The parameters of a tool, in its order; read once for each tool."""
    schema = tool.parameters
    return _fields(schema, schema)


def results(tool: Tool) -> tuple[str, ...]:
    """The names of the fields of what a tool gives."""
    gives = tool.returns
    return tuple(gives.model_fields) if isinstance(gives, type) and issubclass(gives, BaseModel) else ()


@lru_cache(maxsize=4096)
def has_form(tool: Tool) -> bool:
    """Whether a parameter takes arithmetic, the question itself, or a place in an order."""
    schema = tool.parameters
    return any(
        _deep(told, schema).get("format") in (EXPRESSION, QUERY, ORDINAL)
        for told in schema.get("properties", {}).values()
    )


@lru_cache(maxsize=4096)
def is_open(tool: Tool) -> bool:
    """Whether something that a tool needs is neither enumerated, nor the question itself, nor arithmetic.

    One number is no such thing: figures that other tools give are handed on by their type.
    """
    if tool.combines or has_form(tool):
        return False
    needed = [p for p in parameters(tool) if p.required and p.name not in tool.options]
    if not needed:
        return not tool.options
    return any(p.kind not in ("integer", "number") for p in needed) or len(needed) > 1


def _fields(fragment: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Parameter, ...]:
    required = set(fragment.get("required", ()))
    return tuple(
        _parameter(name, told, schema, name in required)
        for name, told in fragment.get("properties", {}).items()
    )


def _deep(fragment: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a fragment really says, behind a reference or beside "or nothing"."""
    while True:
        if "$ref" in fragment:
            kept = {k: v for k, v in fragment.items() if k != "$ref"}
            fragment = {**schema.get("$defs", {}).get(fragment["$ref"].split("/")[-1], {}), **kept}
            continue
        if "anyOf" in fragment:
            parts = [p for p in fragment["anyOf"] if p.get("type") != "null"]
            if len(parts) == 1:
                kept = {k: v for k, v in fragment.items() if k != "anyOf"}
                fragment = {**parts[0], **kept}
                continue
        return fragment


def _parameter(name: str, told: Mapping[str, Any], schema: Mapping[str, Any], required: bool) -> Parameter:
    told = _deep(told, schema)
    about = str(told.get("description") or "")
    words = worded(name)
    kind = _kind(told)
    choices: tuple[Any, ...] = tuple(told.get("enum", ())) or ((told["const"],) if "const" in told else ())
    closed = bool(choices)
    if closed:
        kind = "choice"
    elif kind == "text":
        choices = tuple(dict.fromkeys(m.strip() for m in _QUOTED.findall(about)))
    inner: tuple[Parameter, ...] = ()
    if kind == "list":
        items = told.get("items")
        inner = (_parameter(name, items if isinstance(items, Mapping) else {}, schema, True),)
    elif kind == "object":
        inner = _fields(told, schema)
    form = _DATE_FORM.search(about)
    return Parameter(
        name=name,
        words=tuple(tokens(words, stop=False)),
        about=about,
        tokens=frozenset(tokens(about)) - STOPWORDS,
        kind=kind,
        required=required,
        choices=choices,
        closed=closed,
        inner=inner,
        form=form[0] if form else "",
        default=told.get("default"),
        limits={k: told[k] for k in ("minimum", "maximum") if isinstance(told.get(k), int | float)},
    )


def _kind(told: Mapping[str, Any]) -> Kind:
    if told.get("format") == "date":
        return "date"
    match told.get("type"):
        case "string":
            return "text"
        case "integer":
            return "integer"
        case "number":
            return "number"
        case "boolean":
            return "boolean"
        case "array":
            return "list"
        case "object":
            return "object"
        case _:
            return "any"
