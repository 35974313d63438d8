"""Repairing: what a model is told so that it mends its plan."""

from __future__ import annotations

from collections.abc import Sequence

from ..plan import Finding, wrong

_MOST = 8
_LONG = 320


def repair_prompt(findings: Sequence[Finding]) -> str:
    """What is wrong with a plan, for whoever wrote it, one line each; "" where nothing is.

    Short, for a small model mends what it can still see: at most eight findings, each cut where it is long.
    """
    found = wrong(findings)
    if not found:
        return ""
    lines = [_line(finding) for finding in found[:_MOST]]
    more = len(found) - len(lines)
    if more:
        lines.append(f"- and {more} more of this kind")
    listed = "\n".join(lines)
    return f"That plan cannot be carried out:\n{listed}\nWrite the whole plan again, mended."


def _line(finding: Finding) -> str:
    text = f"- {finding}"
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
