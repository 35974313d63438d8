"""`crewgraph new` makes a project that runs and passes its tests at once, offline, and overwrites nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph.runtime.errors import InvalidInput
from crewgraph.serving.crewfile import load_crew
from crewgraph.serving.projects.making import make_project

from .conftest import PROGRAM


def inside(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("CREWGRAPH_", "PYTEST", "COV"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "CREWGRAPH_HOME": str(folder.parent / "home"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", ["stationer", "Stationer-2", "json"])
def test_a_new_project_passes_its_own_tests(tmp_path: Path, name: str) -> None:
    made = inside(tmp_path, *PROGRAM, "new", name)
    assert made.returncode == 0, made.stderr
    assert f"cd {name} && crewgraph run crew.yaml" in made.stdout
    plugin = ("-p", "no:asyncio")  # pytest alone will do
    tested = inside(tmp_path / name, sys.executable, "-m", "pytest", "-q", "-W", "error", *plugin)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


def test_a_new_project_has_a_plan_for_its_first_question_without_a_model(tmp_path: Path) -> None:
    make_project(tmp_path / "stationer")
    planned = inside(
        tmp_path / "stationer",
        *PROGRAM,
        "plan",
        "crew.yaml",
        "What do a pen and ink cost?",
        "--planner",
        "rules",
    )
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("price") >= 2
    assert "pen" in planned.stdout
    assert "ink" in planned.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    refused = inside(tmp_path, *PROGRAM, "new", "shop")
    assert refused.returncode == 2
    assert "nothing is overwritten" in refused.stderr
    assert [f.name for f in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    files = make_project(tmp_path / "shop")
    assert all(file.is_file() for file in files)
    assert load_crew(tmp_path / "shop" / "crew.yaml").name == "shop"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["shop"]


@pytest.mark.parametrize("name", ["2fast", "a b", "-x", "ä", "x" * 51])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="no name for a project"):
        make_project(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
