"""Owns an evaluation, and a comparison of two, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..record import Record
from .comparison import Change, Comparison
from .resampling import LEVEL, RESAMPLES, SEED, Interval
from .summary import Figure, Summary


def evaluation_json(
    record: Record,
    summary: Summary,
    comparison: Comparison | None = None,
    *,
    other: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything of an evaluation; `other` is that of the version it was compared with, where this command made it."""
    heading = record.heading
    return {
        "key": heading.key,
        "crew": heading.crew,
        "crew_file": heading.crew_file,
        "dataset": heading.dataset,
        "dataset_hash": heading.dataset_hash,
        "planner": heading.planner,
        "model": heading.model or None,
        "record": str(record.path),
        "cases": len(summary.cases),
        "trials": summary.trials,
        "ended": summary.ended,
        "passed": _figure(summary.whole),
        "scorers": {figure.name: _figure(figure) for figure in summary.figures},
        "seconds": asdict(summary.seconds),
        "tokens": asdict(summary.tokens),
        "tool_calls": asdict(summary.tool_calls),
        "money": asdict(summary.money),
        "errors": summary.errors,
        "tags": summary.tags,
        "results": [trial.model_dump(mode="json") for case in summary.cases for trial in case.trials],
        "comparison": None if comparison is None else comparison_json(comparison),
        "other": other,
    }


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Everything of a comparison, and how its intervals were made."""
    return {
        "old": found.old,
        "new": found.new,
        "pairs": found.pairs,
        "scores": {change.name: _change(change) for change in found.scores},
        "used": {change.name: _change(change) for change in found.used},
        "only_in_old": list(found.alone_old),
        "only_in_new": list(found.alone_new),
        "remarks": list(found.remarks),
        "interval": {"method": "bootstrap, BCa", "level": LEVEL, "resamples": RESAMPLES, "seed": SEED},
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "cases": figure.cases,
        "mean": figure.mean.mean if figure.mean else None,
        "interval": _bounds(figure.mean) if figure.mean and figure.mean.low < figure.mean.high else None,
        "passed": figure.passed,
        "share": figure.share.mean if figure.share else None,
        "share_interval": _bounds(figure.share),
        "not_judged": figure.silent,
        "why": figure.why or None,
        "by": list(figure.by),
    }


def _change(change: Change) -> dict[str, Any]:
    told = asdict(change)
    del told["name"]
    told["difference"] = change.difference.mean
    told["interval"] = _bounds(change.difference)
    told["ties"] = change.ties
    return told


def _bounds(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]
