"""What a killed process leaves behind: `kill -9` at random moments, resumed until the run ends, then counted.

Each point is one run with growth, retries, maps, conditions, streamed tasks and effects side by side, which write to
a database and to a file of their own. Its process is killed at a seeded moment, by time or at the k-th crossing of a
boundary (before an intent, between intent and effect, within the effect, between effect and result, before the
k-th statement to the database, while the database is being made and so on), up to four times in one run, also
while it resumes and while a person answers. A fresh process resumes it. What is in doubt is answered by the tool's own
`reconcile` or by a person who looks whether it happened. Then the journal is held against the world outside. SQLite
and PostgreSQL take turns.

Figures: `points`, `kills`; `lost` (the journal says that it happened, or that it was safe, and it is gone), `doubled`
(an effect took place twice, or was journalled twice), `wrong` (another answer than the right one, or none),
`silent_doubt` (a `once` effect was begun and not over, and nobody was asked); `doubts` (effects that were in doubt
and cleared up). Beside them, as counts of wrong outcomes: `restart_ok` (PostgreSQL restarted in the middle of a
run, which goes on by itself), `disk_full_ok`, `locked_ok`, `two_resume_ok` (two processes resume one run: one wins).

    python benchmarks/crash_sweep.py [--seed N] [--points N] [--quick] [--json -]
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from _report import Figures, finish, parser, table
from crash import lanes, mishaps, sabotage
from crash.point import Report
from crash.stores import Stores

KINDS = {
    "time": "at any moment in time",
    "boundary": "at a boundary of journal or effect",
    "database": "at a message to the database",
    "opening": "while the database is made and opened",
    "undisturbed": "not at all, and wrong all the same",
}
FOUND = ("lost", "doubled", "wrong", "silent")


def arguments() -> argparse.ArgumentParser:
    """The flags."""
    flags = parser(__doc__ or "", quick="60 points, each mishap once or twice")
    flags.add_argument("--seed", type=int, default=1, help="of all moments, delays and runs (default 1)")
    flags.add_argument("--points", type=int, help="how many runs are killed (default 500)")
    flags.add_argument(
        "--store", choices=("both", "sqlite", "postgres"), default="both", help="where runs are kept"
    )
    flags.add_argument("--only", choices=("sweep", "mishaps"), help="leave the other part out")
    flags.add_argument("--point", type=int, help="carry out this one point again")
    flags.add_argument("--sabotage", choices=sorted(sabotage.WAYS), help=argparse.SUPPRESS)
    return flags


def main() -> int:
    """Print the tables."""
    options = arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers and folders are taken away all the same
    points = options.points if options.points is not None else 60 if options.quick else 500
    numbers = range(points) if options.point is None else range(options.point, options.point + 1)
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="crash-sweep-", ignore_cleanup_errors=True) as made,
        Stores(Path(made), options.store) as stores,
    ):
        if stores.missing:
            print(stores.missing)
        if options.sabotage:
            sabotage.WAYS[options.sabotage]()
        began = time.monotonic()
        if options.only != "mishaps":
            reports = lanes.sweep(stores, numbers, options.seed)
            figures |= swept(
                reports, time.monotonic() - began, f"--seed {options.seed} --store {options.store}"
            )
        if options.only != "sweep" and options.point is None:
            figures |= mishaps.show(stores, options.seed, rounds=1 if options.quick else 5)
    return finish(options, figures)


def swept(reports: Sequence[Report], seconds: float, flags: str) -> Figures:
    """Print what the sweep found."""
    rows = []
    for store in sorted({report.store for report in reports}):
        for kind, words in KINDS.items():
            chosen = [r for r in reports if r.store == store and r.kind == kind]
            if chosen:
                rows.append((f"{store}: {words}", *_line(chosen)))
    rows.append(("all", *_line(reports)))
    head = ("killed", "points", "kills", "in doubt", "asked", "lost", "doubled", "wrong", "silent doubt")
    table(f"kill -9: {len(reports)} runs, {seconds:.0f} s", head, rows)
    for report in reports:
        if not report.verdict.clean:
            how = ", ".join(report.moments)
            print(f"\npoint {report.number} ({report.store}, job {report.job}) killed at {how}")
            print(f"  again, as far as time allows: crash_sweep.py {flags} --point {report.number}")
            for kind in FOUND:
                for sentence in getattr(report.verdict, kind)[:6]:
                    print(f"  {kind}: {sentence}")
    points, kills, doubts, _, lost, doubled, wrong, silent = _line(reports)
    return {
        "points": points,
        "kills": kills,
        "lost": lost,
        "doubled": doubled,
        "wrong": wrong,
        "silent_doubt": silent,
        "doubts": doubts,
        "seconds": seconds,
    }


def _line(reports: Sequence[Report]) -> tuple[int, ...]:
    found: Counter[str] = Counter()
    for report in reports:
        found.update({kind: len(getattr(report.verdict, kind)) for kind in FOUND})
    return (
        sum(1 for report in reports if report.moments or not report.verdict.clean),
        sum(len(report.moments) for report in reports),
        sum(report.verdict.doubts for report in reports),
        sum(report.asked for report in reports),
        *(found[kind] for kind in FOUND),
    )


if __name__ == "__main__":
    sys.exit(main())
