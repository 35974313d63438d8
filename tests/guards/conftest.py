"""The files of the project, as git knows them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREIGN = ("benchmarks/unseen/", "examples/data/", "LICENSE")
"""Texts of others, and questions that nobody reads before they are asked."""


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every text file of our own that is tracked; an unpacked archive has no git and skips."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [n for n in listed.stdout.split("\0") if n and not n.startswith(FOREIGN)]
    return [f for n in names if (f := ROOT / n).is_file() and not f.is_symlink() and _is_text(f)]


def _is_text(file: Path) -> bool:
    try:
        file.read_text("utf-8")
    except UnicodeDecodeError:
        return False
    return True
