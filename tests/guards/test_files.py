"""What holds of every file: links are what they say, nothing is too long, unfinished, or of one machine only."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LAYERS = ("agents", "planner", "tools", "runtime", "serving")


@pytest.mark.parametrize("layer", LAYERS)
def test_each_link_is_its_folder(root: Path, layer: str) -> None:
    link = root / "src" / "crewgraph" / layer
    assert link.is_symlink(), "links, not copies: a copy would be a second identity of every class"
    assert str(link.readlink()) == f"../../{layer}"
    assert link.samefile(root / layer)


def test_no_module_is_longer_than_400_lines(tracked: list[Path], root: Path) -> None:
    long = {
        str(f.relative_to(root)): n
        for f in tracked
        if f.suffix == ".py"
        and f.relative_to(root).parts[0] in (*LAYERS, "src", "tests", "examples")
        and (n := len(f.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}


def test_nothing_is_left_for_later(tracked: list[Path], root: Path) -> None:
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert [str(f.relative_to(root)) for f in tracked if marks.search(f.read_text("utf-8"))] == []


def test_no_file_knows_one_machine_or_one_registry(tracked: list[Path], root: Path) -> None:
    names = [f"{Path.home()}/", str(root), *_registries()]
    texts = {str(f.relative_to(root)): f.read_text("utf-8") for f in tracked}
    assert {file: name for file, text in texts.items() for name in names if name in text} == {}
    pinned = [file for file in texts if file.startswith("constraints")]
    assert pinned
    assert [file for file in pinned if "://" in texts[file]] == []


def _registries() -> set[str]:
    """Where this machine has its packages from, as far as it was told so."""
    told = [text for name, text in os.environ.items() if re.match(r"(?:PIP|UV)_\w*(?:INDEX|LINKS)", name)]
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told.append(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
    return {host for text in told for host in re.findall(r"://(?:[^/\s@]*@)?([\w.-]+)", text)} - {"127.0.0.1"}


def test_every_module_says_what_it_is(tracked: list[Path], root: Path) -> None:
    silent = [
        str(f.relative_to(root))
        for f in tracked
        if f.suffix == ".py"
        and f.read_text("utf-8").strip()
        and not f.read_text("utf-8").startswith(('"""', "#!"))
    ]
    assert silent == []


def _sources(root: Path, *folders: str) -> dict[str, str]:
    return {
        str(f.relative_to(root)): f.read_text("utf-8")
        for folder in folders
        for f in sorted((root / folder).rglob("*"))
        if f.suffix in (".py", ".toml")
    }


def test_the_planner_knows_no_examples_domain(root: Path) -> None:
    with (root / "examples" / "data" / "countries.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = {row["name"] for row in rows} | {row["capital"] for row in rows}
    names = {n for n in names if n and len(n) > 3}
    chinese = {part for row in rows for part in row["name_zh"].split(";") if len(part) > 1}
    words = re.compile(
        rf"\b(?:{'|'.join(map(re.escape, sorted(names)))}|sqlite|rowid|vacuum)\b", re.IGNORECASE
    )
    found = {}
    for name, text in _sources(root, "planner", "tools/knowledge").items():
        hits = {m[0] for m in words.finditer(text)} | {c for c in chinese if c in text}
        if not name.endswith(".toml") and re.search(
            r"\b(?:population|countr(?:y|ies)|capital|continent)\b", text
        ):
            hits.add("a word of the countries example")
        if hits:
            found[name] = hits
    assert found == {}
