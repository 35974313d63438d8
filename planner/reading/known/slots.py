"""Slots: what a request gives to one tool's parameters, by type and never by the tool's subject.

An enumerated parameter takes the values that are mentioned, a number the numbers left over, an arithmetic
expression the arithmetic, a question the request itself, another text the names and quotations in the request.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ....tools.tool import Tool
from ..reading import Reading, Span
from .mentions import Mention
from .slot_values import DATE, FEW, by_role, kind_of, mentioned, numbers, texts

MAX_CALLS = 24
"""One request never becomes more than so many calls of one tool."""


@dataclass(frozen=True)
class Call:
    """One call of a tool: its arguments (`Call` and `Taken` among them stand for results), and calls that come before."""

    tool: Tool
    args: Mapping[str, Any]
    after: tuple[Call, ...] = ()

    @property
    def key(self) -> str:
        """Equal for calls that are the same."""
        return f"{self.tool.name}{sorted(self.args.items(), key=lambda item: item[0])}"


@dataclass(frozen=True)
class Taken:
    """A field of another call's result, as the value of an argument; the whole result where `path` is empty."""

    call: Call
    path: str = ""


@dataclass(frozen=True)
class Fit:
    """How a request fits a tool: the calls it asks for, what of the request they use, what is missing.

    `known` are the values found so far, also where some are missing.
    `spread` is True where a parameter was not mentioned and every one of its few values is asked for. `varied`
    names the parameter that tells the calls apart by thing (the one with the most mentions). `asks` is True where
    the tool takes the question itself, `counts` where it must have a number, `arithmetic` where it works one out. `paired` names
    the parameter whose values go one by one with those of `varied`.
    """

    tool: Tool
    calls: tuple[Call, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    used: Mapping[Span, float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    spread: bool = False
    varied: str = ""
    asks: bool = False
    counts: bool = False
    arithmetic: bool = False
    paired: str = ""

    @property
    def complete(self) -> bool:
        """Whether every required parameter has a value."""
        return not self.missing and bool(self.calls)

    @property
    def coverage(self) -> float:
        """How much of the request the calls use."""
        return sum(self.used.values())


def fit(
    tool: Tool,
    mentions: Mapping[str, list[Mention]],
    reading: Reading,
    *,
    earlier: Mapping[str, list[Mention]] | None = None,
) -> Fit:
    """How a request fits a tool. `earlier` are the mentions of the turn before, for what this one leaves unsaid."""
    schema = tool.parameters
    required = set(schema.get("required", ()))
    values: dict[str, list[Any]] = {}
    used: dict[Span, float] = {}
    missing: list[str] = []
    spread = False
    asks = counts = worked_out = False
    mine = by_role(tool, mentions, reading)
    spent: list[Span] = [m.span for found in mine.values() for m in found]
    for name, fragment in schema.get("properties", {}).items():
        kind = kind_of(fragment, schema)
        found: list[tuple[Any, Span | None, float]] = []
        if name in tool.options:
            found = mentioned(tool.options[name], mine.get(name, []), reading)
            if not found and name in required and earlier and earlier.get(name):
                found = [(m.value, None, 0.0) for m in earlier[name]]
            if not found and name in required and len(tool.options[name]) <= FEW and _subjects(mine, tool):
                found = [(o.value, None, 0.0) for o in tool.options[name]]
                spread = True
        elif kind == "question":
            found = [(reading.request.strip(), None, 0.0)]
            asks = True
        elif kind == "arithmetic":
            found = [(reading.arithmetic, (0, len(reading.text)), 2.0)] if reading.arithmetic else []
            worked_out = True
        elif kind in ("integer", "number"):
            found = numbers(name, fragment, kind, name in required, reading, spent)
            counts = counts or name in required
        elif kind == "date":
            found += [(m[0], m.span(), 1.0) for m in DATE.finditer(reading.text)][:1]
        elif kind == "text" and name in required:
            found = texts(name, reading, spent)
            asks = asks or bool(found and found[0][1] is None)
        if name not in tool.options:
            found = [item for item in found if _valid(tool, name, item[0])]
        if found and takes_several(fragment):
            found = [(tuple(value for value, _, _ in found), None, 0.0), *((None, s, w) for _, s, w in found)]
            used |= {span: weight for _, span, weight in found if span is not None}
            spent += [span for _, span, _ in found if span is not None]
            values[name] = [list(found[0][0])]
        elif found:
            values[name] = list(dict.fromkeys(value for value, _, _ in found))
            used |= {span: weight for _, span, weight in found if span is not None}
            spent += [span for _, span, _ in found if span is not None]
        elif name in required:
            missing.append(name)
    varied = max(
        (n for n in values if n in tool.options),
        key=lambda n: (len(tool.options[n]), len(values[n])),
        default="",
    )
    told = [name for name, found in values.items() if name not in tool.options and len(found) > 1]
    pair = (varied, told[0]) if varied and told and len(values[varied]) > 1 else None
    if pair and len(values[pair[0]]) != len(values[pair[1]]):
        missing.append(pair[1])  # which number goes with which name cannot be told
        pair = None
    calls = tuple(Call(tool, args) for args in _product(values, pair))
    known = {name: found[0] for name, found in values.items()}
    return Fit(
        tool,
        calls if not missing else (),
        known,
        used,
        tuple(missing),
        spread,
        varied,
        asks,
        counts,
        worked_out,
        pair[1] if pair else "",
    )


def takes_several(fragment: Mapping[str, Any]) -> bool:
    """Whether a parameter takes several values at once."""
    parts = [fragment, *fragment.get("anyOf", ())]
    return any(part.get("type") == "array" for part in parts)


def _valid(tool: Tool, name: str, value: Any) -> bool:
    """Whether a value meets all that its parameter asks for (bounds, lengths, patterns)."""
    info = tool.args.model_fields[name]
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _subjects(mentions: Mapping[str, list[Mention]], tool: Tool) -> bool:
    return any(m.named and len(tool.options[name]) > FEW for name, found in mentions.items() for m in found)


def _product(values: Mapping[str, list[Any]], pair: tuple[str, str] | None) -> Iterator[dict[str, Any]]:
    """Every combination of values; those of a pair go together one by one, in the order they were said."""
    names = list(values)
    for combination in itertools.islice(itertools.product(*values.values()), MAX_CALLS):
        args = dict(zip(names, combination, strict=True))
        if pair is None or values[pair[0]].index(args[pair[0]]) == values[pair[1]].index(args[pair[1]]):
            yield args
