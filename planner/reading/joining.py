"""Joining: calls whose results belong together, what joins them, and calls that take what others give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ...tools.values import Fact
from .choosing import overlap, says_its_name
from .known.slots import Call, Fit
from .reading import Reading

_WORTH = 0.9


@dataclass(frozen=True)
class Group:
    """Calls whose results belong together, and the tool that joins them (None: they stand side by side)."""

    calls: tuple[Call, ...]
    join: str | None = None


def chained(fits: Sequence[Fit], chosen: Sequence[Fit], reading: Reading) -> list[Group]:
    """Calls that lack only what a chosen call gives: each takes that call's result by type."""
    used = [span for f in chosen for span in f.used]
    groups: list[Group] = []
    for f in fits:
        fresh = [w for span, w in f.used.items() if not any(overlap(span, u) for u in used)]
        changes = f.tool.effect != "read_only" and not says_its_name(f.tool, reading)
        if f.complete or not f.missing or sum(fresh) < _WORTH or changes:
            continue
        args = dict(f.known)
        for name in f.missing:
            giver = next(
                (
                    g.calls[0]
                    for g in chosen
                    if gives(g.tool.returns, f.tool.args.model_fields[name].annotation) is not None
                ),
                None,
            )
            if giver is None:
                break
            args[name] = giver
        else:
            groups.append(Group((Call(f.tool, args),)))
    return groups


def gives(returns: Any, wanted: Any) -> str | None:
    """How a result of one type serves as an argument of another: "" as it is, ".value" by a field, None not at all."""
    if returns is wanted and wanted not in (str, Any):
        return ""
    if returns is Fact and wanted in (int, float):
        return ".value"
    if isinstance(returns, type) and issubclass(returns, BaseModel) and not issubclass(returns, Fact):
        return next(
            (
                f".{n}"
                for n, f in returns.model_fields.items()
                if f.annotation is wanted and wanted in (int, float)
            ),
            None,
        )
    return None


def grouped(chosen: Fit, reading: Reading, own: Reading) -> list[Group]:
    """The calls of one tool: those that differ only in the thing asked about belong together."""
    join = _join(own if own.compares or own.says("total") else reading)
    together: dict[str, list[Call]] = {}
    for call in chosen.calls:
        rest = {n: v for n, v in call.args.items() if n not in (chosen.varied, chosen.paired)}
        together.setdefault(str(sorted(rest.items(), key=lambda item: item[0])), []).append(call)
    groups = [Group(tuple(calls), _joins(join, len(calls))) for calls in together.values()]
    if (
        len(groups) == 2
        and own.says("ratio")
        and all(len(g.calls) == len(groups[0].calls) for g in groups)
        and not chosen.spread
    ):
        return [Group(pair, "ratio") for pair in zip(groups[0].calls, groups[1].calls, strict=True)]
    return groups


def _joins(join: str | None, figures: int) -> str | None:
    """What joins so many figures: nothing joins one, and a ratio takes two."""
    if figures < 2:
        return None
    return "compare" if join == "ratio" and figures != 2 else join


def _join(reading: Reading) -> str | None:
    """The tool that joins figures as the request asks, if it asks for any."""
    if reading.says("total"):
        return "total"
    if reading.says("ratio") and not any(w.text.lower() == "than" for w in reading.words):
        return "ratio"
    return "compare" if reading.compares else None
