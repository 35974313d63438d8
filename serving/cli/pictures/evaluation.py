"""Owns the picture of an evaluation in the terminal: its scores, what it used, what should be known, the comparison."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...evaluating.reporting.words import (
    CHANGES,
    SCORES,
    change_rows,
    flip_lines,
    pair_lines,
    remarks,
    score_rows,
    used_lines,
)
from ..screens.text import one_line
from .console import Column, print_table

if TYPE_CHECKING:
    from ...evaluating.record import Record, Trial
    from ...evaluating.reporting.comparison import Comparison
    from ...evaluating.reporting.summary import Summary

_SHOWN = 10


def print_evaluation(record: Record, summary: Summary) -> None:
    """The scores of one evaluation, and which cases failed."""
    heading = record.heading
    print(f"\n{one_line(heading.crew)} on {one_line(heading.dataset)} (planner: {heading.planner})\n")
    columns = [Column(name, right=place in (1, 3, 4)) for place, name in enumerate(SCORES)]
    print_table(columns, score_rows(summary))
    print()
    for line in used_lines(summary):
        print(line)
    for line in remarks(summary):
        print(f"  note: {one_line(line)}")
    _print_failed(summary)
    _print_tags(summary)
    print(f"record: {record.path}", flush=True)


def print_comparison(found: Comparison) -> None:
    """Two versions, figure by figure."""
    print(f"\nold: {one_line(found.old)}\nnew: {one_line(found.new)}\n")
    columns = [Column(name, right=place in (1, 2, 3)) for place, name in enumerate(CHANGES)]
    print_table(columns, change_rows([*found.scores, *found.used]))
    print()
    for line in (*pair_lines(found), *flip_lines(found)):
        print(one_line(line))
    sys.stdout.flush()


def _print_failed(summary: Summary) -> None:
    failed = [case for case in summary.cases if case.passes() is False]
    if not failed:
        return
    print(f"failed ({len(failed)}):")
    for case in failed[:_SHOWN]:
        trial = next(t for t in case.trials if t.passed is False)
        print(f"  {one_line(case.id)}: {one_line(_why(trial), 120)} (crewgraph show {trial.run_id})")
    if len(failed) > _SHOWN:
        print(f"  and {len(failed) - _SHOWN} more")


def _why(trial: Trial) -> str:
    if trial.ended != "finished":
        return f"{trial.ended}: {trial.error}"
    wrong = (
        f"{n} {s.value:.2f}" + (f", {s.why}" if s.why else "")
        for n, s in trial.scores.items()
        if s.passed is False
    )
    return "; ".join(wrong)


def _print_tags(summary: Summary) -> None:
    if not summary.tags:
        return
    names = list(dict.fromkeys(name for told in summary.tags.values() for name in told))
    rows = [
        [one_line(tag), *(f"{told[name]:.3g}" if name in told else "-" for name in names)]
        for tag, told in summary.tags.items()
    ]
    print()
    print_table([Column("tag"), *(Column(name, right=True) for name in names)], rows)


class Progress:
    """How far an evaluation is, on stderr: one line that changes in a terminal, a line a trial elsewhere."""

    def __init__(self, of: int, *, quiet: bool = False) -> None:
        self._of = of
        self._done = self._kept = self._failed = 0
        self._quiet = quiet
        self._moving = sys.stderr.isatty()

    def trial(self, trial: Trial, before: bool) -> None:
        """A trial is over; `before`, where an earlier sitting had done it."""
        self._done += 1
        self._kept += before
        self._failed += trial.passed is False
        if self._quiet or (before and not self._moving):
            return
        said = f"{self._done} of {self._of} trials, {self._failed} failed"
        if self._moving:
            print(f"\r{said}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            told = "failed" if trial.passed is False else "passed" if trial.passed else str(trial.ended)
            print(f"{said}: {one_line(trial.case)} {told}", file=sys.stderr, flush=True)

    def over(self) -> None:
        """Nothing more comes."""
        if self._quiet:
            return
        if self._moving:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if self._kept:
            done = "trial was" if self._kept == 1 else "trials were"
            print(f"{self._kept} {done} done before and not run again", file=sys.stderr, flush=True)
