"""What every benchmark shares: its flags, a table for people, one JSON object for machines as the last line.

A benchmark never fails for its figures: `finish` gives 0. A bar is shown beside a figure, and is judged by whoever
reads it. Peers run in the same call, each in a process of its own (`in_child`), so that nobody pays for another's
imports or memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, float]
"""What a benchmark found, by name."""


def parser(doc: str, *, quick: str) -> argparse.ArgumentParser:
    """The flags that every benchmark takes. `quick` says what `--quick` leaves out."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help=f"a first look in under 60 s: {quick}")
    made.add_argument("--json", metavar="-", help="also print one JSON object of figures as the last line")
    made.add_argument("--child", metavar="NAME", help=argparse.SUPPRESS)
    return made


def in_child(script: str, name: str, *arguments: str, timeout: float = 600) -> dict[str, Any]:
    """Run one measurement of a script in a fresh process (``--child NAME``): the object on its last line.

    Raises:
        RuntimeError: the process failed or gave no figures; the message holds the end of what it said.
    """
    made = subprocess.run(
        [sys.executable, str(Path(script).resolve()), "--child", name, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    lines = made.stdout.strip().splitlines()
    if made.returncode or not lines:
        raise RuntimeError(f"{name} ended with {made.returncode}: {(made.stderr or made.stdout)[-800:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def medians(runs: Sequence[Mapping[str, float]]) -> Figures:
    """The median of each figure over several runs of the same measurement."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def percentile(values: Iterable[float], part: float) -> float:
    """The value below which `part` (0 up to 1) of them lie; the nearest one that there is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: the first column is words, the others are figures or words."""
    lines = [tuple(_cell(cell) for cell in row) for row in rows]
    widths = [max(len(line[i]) for line in [tuple(head), *lines]) for i in range(len(head))]
    print(f"\n{title}")
    for line in (tuple(head), tuple("-" * w for w in widths), *lines):
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


def where() -> str:
    """The machine in one line; timings mean nothing without it."""
    import sqlite3

    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, load {load:.1f}, {platform.system()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def finish(options: argparse.Namespace, figures: Mapping[str, float]) -> int:
    """Print where this ran and, if asked for, the figures as the last line. Always 0."""
    print(f"\n{where()}")
    if options.json:
        print(json.dumps({name: round(value, 6) for name, value in figures.items()}), flush=True)
    return 0


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
