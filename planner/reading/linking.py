"""Linking: which call takes what another one gives, by the names and types of results and parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from ...tools.text import tokens
from ...tools.tool import Tool
from ..checking.checker import fits
from .filling.filling import Filled, fill
from .filling.parameters import Parameter, parameters, worded
from .filling.phrases import Phrase
from .known.slots import Call, Taken
from .reading import Reading

_GENERIC = frozenset(tokens("id name value result data text number type amount code", stop=False))
_POINTS = re.compile(
    r"\b(?:it|this|that|these|those|them|its|their|the (?:result|same|output|amount|value|number))\b|它|这个|该",
    re.IGNORECASE,
)
_CERTAIN = 2.0
_LIKELY = 1.5
_POSSIBLE = 0.4

Asked = tuple[Sequence[tuple[Tool, Filled]], bool, str]
"""Tools that may do it, each with what the request gives to it, whether it comes after what is before, and the words
that ask for it."""


def linked(
    asked: Sequence[Asked], tools: Sequence[Tool], reading: Reading, found: Sequence[Phrase]
) -> list[Call]:
    """The calls of what is asked, in order; what the request leaves unsaid is taken from calls before, or from a tool
    that gives it. Where a tool still lacks something the next likely one is taken, and where all do, none."""
    calls: list[Call] = []
    for ways, after, text in asked:
        before = tuple(calls[-1:]) if after else ()
        for tool, filled in ways:
            made: list[Call] = []
            for args in filled.calls or ({},):
                given = _completed(tool, dict(args), filled, (*calls, *made), text, tools, reading, found)
                if given is not None:
                    made.append(Call(tool, given, before))
            if made:
                calls += made
                break
    return calls


def _completed(
    tool: Tool, args: dict[str, Any], filled: Filled, calls: Sequence[Call], text: str,
    tools: Sequence[Tool], reading: Reading, found: Sequence[Phrase],
) -> dict[str, Any] | None:  # fmt: skip
    """Arguments with results in the place of what is missing; None where something still is."""
    points = _POINTS.search(text) is not None
    wider: Filled | None = None
    for parameter in parameters(tool):
        name = parameter.name
        weak = name in filled.weak
        if not parameter.required or (name in args and not weak):
            continue
        score, told, best = _from_before(parameter, tool, calls, text)
        if best is not None and (score >= _LIKELY or told or (points and score > 0)):
            args[name] = best
            continue
        if name in args:
            continue
        wider = wider or fill(tool, reading, (0, len(reading.text)), found)
        if name in wider.args and name not in wider.weak:
            args[name] = wider.args[name]
        elif (made := _provided(parameter, tool, tools, reading, found)) is not None:
            args[name] = made
        elif name in wider.args:
            args[name] = wider.args[name]
        elif best is not None and score > _POSSIBLE:
            args[name] = best
        else:
            return None
    return args


def _from_before(
    parameter: Parameter, tool: Tool, calls: Sequence[Call], text: str
) -> tuple[float, bool, Taken | None]:
    """The field of an earlier call's result that a parameter means most likely, the latest of equals: how likely, and
    whether the words that ask for the tool name it."""
    said = set(tokens(text, stop=False))
    own = set(parameter.words)
    graded: list[tuple[float, int, bool, Call, str]] = []
    for n, call in enumerate(calls):
        for field, kind in _fields(call.tool):
            if not fits(kind, tool.args.model_fields[parameter.name].annotation):
                continue
            special = _stems(field) - _GENERIC - own
            told = bool(special) and bool(special & said) and not special <= _stems(tool.name)
            score = (
                _alike(parameter, field, call.tool) + 0.5 * len(special & said) + 0.3 * (n == len(calls) - 1)
            )
            graded.append((score, n, told, call, field))
    if not graded:
        return 0.0, False, None
    score, _, told, call, field = max(graded, key=lambda g: g[:2])
    return score, told, Taken(call, field)


def _provided(
    parameter: Parameter, tool: Tool, tools: Sequence[Tool], reading: Reading, found: Sequence[Phrase]
) -> Taken | None:
    """A call of a tool that gives just what a parameter asks for, and needs nothing that the request does not say."""
    best: tuple[float, Taken] | None = None
    for other in tools:
        if other is tool or other.effect != "read_only":
            continue
        for field, kind in _fields(other):
            score = _alike(parameter, field, other)
            if score < _CERTAIN or not fits(kind, tool.args.model_fields[parameter.name].annotation):
                continue
            filled = fill(other, reading, (0, len(reading.text)), found)
            if filled.missing or filled.evidence <= 0:
                continue
            score += 0.2 * len(_stems(other.name) & _stems(tool.name)) - 0.1 * len(parameters(other))
            if best is None or score > best[0]:
                best = (score, Taken(Call(other, dict(filled.args)), field))
    return best[1] if best else None


@lru_cache(maxsize=4096)
def _fields(tool: Tool) -> tuple[tuple[str, Any], ...]:
    """The fields of a tool's result, with their types."""
    gives = tool.returns
    if not (isinstance(gives, type) and issubclass(gives, BaseModel)):
        return ()
    return tuple((name, info.annotation) for name, info in gives.model_fields.items())


@lru_cache(maxsize=8192)
def _stems(name: str) -> frozenset[str]:
    return frozenset(tokens(worded(name), stop=False))


def _alike(parameter: Parameter, field: str, giver: Tool) -> float:
    """How surely a field of a tool's result is what a parameter asks for, by their names."""
    own, theirs = frozenset(parameter.words), _stems(field)
    if own == theirs and own - _GENERIC:
        return 3.0
    special, other = own - _GENERIC, theirs - _GENERIC
    if special and special <= other | (_stems(giver.name) if not other else frozenset()):
        return 2.2 if own & _GENERIC <= theirs else 1.6
    if special & other:
        return 1.2
    if other and other & parameter.tokens:
        return 0.8
    if own == theirs:
        return 0.8
    return 0.2 if not special or not other else 0.0
