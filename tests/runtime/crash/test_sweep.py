"""Killed at any moment, nothing is lost, nothing is doubled, and no doubt is passed over: a small crash sweep.

The whole one is `benchmarks/crash_sweep.py`; here it is run with few points.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SWEEP = Path(__file__).parents[3] / "benchmarks" / "crash_sweep.py"
FOUND = ("lost", "doubled", "wrong", "silent_doubt")


def swept(store: str, points: int, *more: str) -> tuple[dict[str, float], str]:
    """The figures of a sweep, and all that it said."""
    if store == "postgres" and importlib.util.find_spec("pgserver") is None:
        pytest.skip("no PostgreSQL: pgserver is not installed")
    flags = ["--only", "sweep", "--store", store, "--points", str(points), *more, "--json", "-"]
    done = subprocess.run(
        [sys.executable, str(SWEEP), *flags], capture_output=True, text=True, timeout=300, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures, said


@pytest.mark.parametrize(("store", "points"), [("sqlite", 20), ("postgres", 8)])
def test_killed_at_any_moment_a_run_comes_to_the_same_end(store: str, points: int) -> None:
    figures, said = swept(store, points, "--seed", "7")
    assert figures["points"] == points, said
    assert figures["kills"] >= points, said
    assert {name: figures[name] for name in FOUND} == dict.fromkeys(FOUND, 0.0), said


@pytest.mark.parametrize("way", ["forget-intents", "forget-results", "run-again", "do-not-wait"])
def test_a_runtime_that_breaks_its_promises_is_found_out(way: str) -> None:
    figures, said = swept("sqlite", 6, "--seed", "5", "--sabotage", way)
    assert sum(figures[name] for name in FOUND) > 0, said
