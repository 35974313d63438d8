"""Filling: the arguments that a part of a request gives to one tool; several calls where it names several subjects."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ....tools.text import STOPWORDS, tokens
from ....tools.tool import Tool
from ..reading import Reading, Span
from .evidence import Evidence
from .giving import Giving
from .parameters import Parameter, parameters, worded
from .phrases import LONGEST, Phrase, phrases, places, plain_value, wider

MAX_CALLS = 12
"""One part of a request never becomes more than so many calls of one tool."""

_FIRM = 1.7


@dataclass(frozen=True)
class Filled:
    """The calls' arguments, what is missing in all of them, and how well the request speaks of what they hold."""

    calls: tuple[Mapping[str, Any], ...]
    missing: tuple[str, ...] = ()
    evidence: float = 0.0
    used: tuple[Span, ...] = ()
    guessed: tuple[str, ...] = field(default=())
    weak: frozenset[str] = frozenset()

    @property
    def args(self) -> Mapping[str, Any]:
        """The arguments of the first call."""
        return self.calls[0] if self.calls else {}


def fill(tool: Tool, reading: Reading, span: Span, found: Sequence[Phrase]) -> Filled:
    """What the part of a request at `span` gives to the parameters of a tool. `found` are the request's phrases."""
    wanted = parameters(tool)
    if not wanted:
        return Filled(({},))
    inside = tuple(p for p in found if span[0] <= p.span[0] and p.span[1] <= span[1] + 1)
    evidence = Evidence(
        reading,
        span,
        _all(inside, reading, tool),
        about_of(tool),
        wanted,
        frozenset(tokens(worded(tool.name))),
    )
    given = Giving(evidence)
    given.take(wanted)
    values = {n: v for n, v in given.values.items() if fits(tool, n, v)}
    missing = tuple(p.name for p in wanted if p.required and p.name not in values)
    calls = tuple(_several(tool, wanted, given, values))
    weak = frozenset(n for n, score in given.scores.items() if score < _FIRM and n in values)
    return Filled(calls, missing, given.sum, tuple(given.spent), tuple(given.guessed), weak)


def _all(found: Sequence[Phrase], reading: Reading, tool: Tool) -> tuple[Phrase, ...]:
    """Phrases, and wider and narrower ones made of them."""
    return (*found, *places(found, reading.text), *wider(found, reading.text, about_of(tool)))


@lru_cache(maxsize=4096)
def about_of(tool: Tool) -> frozenset[str]:
    """The stems of a tool's own words."""
    return frozenset(tokens(f"{worded(tool.name)} {tool.description}")) - STOPWORDS


@lru_cache(maxsize=8192)
def _adapter(tool: Tool, name: str) -> TypeAdapter[Any]:
    info = tool.args.model_fields[name]
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(kind)


def fits(tool: Tool, name: str, value: Any) -> bool:
    """Whether a value meets all that a parameter asks for."""
    try:
        _adapter(tool, name).validate_python(value)
    except ValidationError:
        return False
    return True


def _several(
    tool: Tool, wanted: Sequence[Parameter], given: Giving, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One call, or one for each of a row of neighbours of which the call took the first."""
    kinds = {p.name: p for p in wanted}
    rows: dict[str, list[Any]] = {}
    for name, phrase in given.chosen.items():
        if name not in values or kinds[name].kind in ("list", "object"):
            continue
        parameter = kinds[name]
        if parameter.closed:
            said = [v for v, span in given.mentioned(parameter) if span is not None]
            ordered = sorted(said, key=lambda v: [x for x, _ in given.mentioned(parameter)].index(v))
            if len(ordered) > 1 and parameter.required:
                rows[name] = ordered
            continue
        if phrase.group < 0 or phrase.sort == "words":
            continue
        others = [
            p
            for p in given.evidence.phrases
            if p.group == phrase.group and p.sort == phrase.sort and p != phrase and given.free(p)
        ]
        more = [given.evidence.value(parameter, p) for p in others]
        more = [v for v in more if fits(tool, name, v)]
        if more:
            rows[name] = [values[name], *more]
    if not rows:
        return [dict(values)]
    names = list(rows)
    same = len({len(row) for row in rows.values()}) == 1
    sets = zip(*rows.values(), strict=True) if same else itertools.product(*rows.values())
    return [{**values, **dict(zip(names, some, strict=True))} for some in itertools.islice(sets, MAX_CALLS)]


def candidates(tool: Tool, request: str) -> dict[str, list[Any]]:
    """For each parameter of a tool the values that a request may mean by it, the likeliest first.

    For whoever chooses among them: a model under a schema, or a person.
    """
    reading = Reading(request[:LONGEST])
    found = phrases(reading, reading.words_of.verbs)
    whole = (0, len(reading.text))
    evidence = Evidence(
        reading,
        whole,
        _all(found, reading, tool),
        about_of(tool),
        parameters(tool),
        frozenset(tokens(worded(tool.name))),
    )
    filled = fill(tool, reading, whole, found)
    offered: dict[str, list[Any]] = {}
    for parameter in parameters(tool):
        first = [call[parameter.name] for call in filled.calls if parameter.name in call]
        if parameter.closed:
            rest: list[Any] = list(parameter.choices)
        elif parameter.kind == "boolean":
            rest = [True, False]
        else:
            graded = sorted(
                ((evidence.of(parameter, p), -n, p) for n, p in enumerate(evidence.phrases)),
                key=lambda g: g[:2],
                reverse=True,
            )
            rest = [*parameter.choices, *(evidence.value(parameter, p) for s, _, p in graded if s > 0)]
        unique: list[Any] = []
        for value in (*first, *rest):
            if value not in unique and fits(tool, parameter.name, plain_value(value)):
                unique.append(value)
        offered[parameter.name] = unique
    return offered
