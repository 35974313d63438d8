"""The benchmark that kills mixed runs sees a call that was made again, and takes one that was lost for none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAM = """
from collections import Counter
from mixed_crew import repeated

whole = Counter({"a": 1, "b": 2})
lost = [(Counter(), 1), (Counter({"a": 1}), 2), (whole, 4)]
assert repeated(["a", "a", "b", "b"], lost) == 0, "a was asked, lost with the process, and asked again"
again = [(Counter({"a": 1}), 1), (whole, 4)]
assert repeated(["a", "a", "b", "b"], again) == 1, "a was kept, and asked again"
assert repeated(["a", "b", "b", "b"], [(whole, 4)]) == 1, "b was needed twice and asked three times"
"""


def test_repeats_are_told_from_lost_calls() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=BENCHMARKS, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
