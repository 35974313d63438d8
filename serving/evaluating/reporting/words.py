"""Owns figures of an evaluation in words, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence

from .comparison import Change, Comparison
from .resampling import Interval
from .summary import FEW, Figure, Summary

SCORES = ("score", "mean", "95 %", "passed", "cases", "")
CHANGES = ("figure", "old", "new", "difference", "95 %", "won/lost/same", "p", "verdict")


def score_rows(summary: Summary) -> list[list[str]]:
    """A row for each scorer, and one for the cases that passed them all. See `SCORES`."""
    return [_score_row(figure) for figure in (*summary.figures, summary.whole)]


def used_lines(summary: Summary) -> list[str]:
    """What was used, and how the trials ended."""
    ended = ", ".join(f"{count} {what}" for what, count in sorted(summary.ended.items()))
    said = [f"{amount(summary.trials, 'trial')} of {amount(len(summary.cases), 'case')}: {ended or 'none'}"]
    if summary.ended.get("finished"):
        took = summary.seconds
        said.append(
            f"seconds of an answer: {took.mean:.2f} on average, half within {took.median:.2f}, 95 of 100 within {took.most:.2f}"
        )
    used = f"tokens: {summary.tokens.total:,.0f}, {summary.tokens.mean:,.0f} a trial"
    used += f"; tool calls: {summary.tool_calls.total:,.0f}"
    if summary.money.total:
        used += f"; cost: {summary.money.total:.6g}, {summary.money.mean:.6g} a trial"
    return [*said, used]


def remarks(summary: Summary) -> list[str]:
    """What a reader should know about the figures."""
    said = [
        f"{figure.name}: {amount(figure.silent, 'trial')} without a judgement: {figure.why}"
        for figure in summary.figures
        if figure.silent
    ]
    for figure in summary.figures:
        if "words" in figure.by and figure.name == "semantic":
            said.append(
                "semantic: by the words that both texts share (F1), not by meaning: the embedding model has not been pulled"
            )
    said += [f"{amount(count, 'trial')} failed: {error}" for error, count in summary.errors.items()]
    if not summary.figures:
        said.append("no scorer had anything to judge by: the cases expect nothing, and none was asked for")
    elif len(summary.cases) < FEW:
        said.append(f"intervals over fewer than {FEW} cases are narrower than they should be")
    return said


def change_rows(changes: Sequence[Change]) -> list[list[str]]:
    """A row for each figure of a comparison. See `CHANGES`."""
    return [
        [
            change.name,
            number(change.old),
            number(change.new),
            f"{change.difference.mean:+.3g}",
            bounds(change.difference, signed=True),
            f"{change.wins}/{change.losses}/{change.ties}",
            f"{change.p:.2g}",
            change.verdict + (f" ({change.note})" if change.note else ""),
        ]
        for change in changes
    ]


def flip_lines(found: Comparison) -> list[str]:
    """Which cases pass now and did not, and the other way round, scorer by scorer."""
    said: list[str] = []
    for change in found.scores:
        flips = change.flips
        if flips is None or not (flips.gained or flips.lost):
            continue
        parts = [
            f"{word} {_listed(ids)}"
            for word, ids in (("pass now:", flips.gained), ("fail now:", flips.lost))
            if ids
        ]
        said.append(f"{change.name}: {'; '.join(parts)} (McNemar's exact test: p = {flips.p:.2g})")
    return said


def pair_lines(found: Comparison) -> list[str]:
    """What was compared, what was left out, and the sentence that sums it up."""
    said = [f"{amount(found.pairs, 'case')} in both"]
    for name, ids in (("old", found.alone_old), ("new", found.alone_new)):
        if ids:
            said.append(f"only in the {name} one, and left out: {_listed(ids)}")
    shown = [change for change in found.scores if change.verdict != "no difference shown"]
    if found.scores and not shown:
        said.append("no difference shown: every interval holds 0, or too few cases differ")
    for change in shown:
        said.append(f"{change.name}: the new one is {change.verdict}")
    return [*said, *found.remarks]


def amount(count: int, what: str) -> str:
    """`1 case`, `12 cases`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def number(value: float) -> str:
    """A figure with as many digits as tell something."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def bounds(found: Interval | None, *, signed: bool = False) -> str:
    """An interval: `0.61 to 0.84`."""
    if found is None:
        return ""
    form = "+.3g" if signed else ".2f"
    return f"{found.low:{form}} to {found.high:{form}}"


def _score_row(figure: Figure) -> list[str]:
    every = figure.name == "passed"
    return [
        "passed all" if every else figure.name,
        f"{figure.mean.mean:.3f}" if figure.mean else "-",
        bounds(figure.mean) if figure.mean and figure.mean.low < figure.mean.high else "-",
        f"{figure.passed} ({figure.share.mean:.0%})" if figure.share else "-",
        str(figure.cases),
        ", ".join(f"by {by}" for by in figure.by),
    ]


def _listed(ids: Sequence[str], most: int = 12) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
