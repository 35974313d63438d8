"""The public API is a list, and the list is true."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import crewgraph
from crewgraph.runtime import errors

HEAVY = (
    "pydantic",
    "langgraph",
    "langchain_core",
    "sqlmodel",
    "sqlalchemy",
    "qdrant_client",
    "fastapi",
    "aiohttp",
    "typer",
    "rich",
)


def python(code: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_all_is_sorted_and_equals_what_is_loaded_lazily() -> None:
    assert crewgraph.__all__ == sorted(crewgraph.__all__)
    assert set(crewgraph.__all__) == set(crewgraph._HOMES)
    assert dir(crewgraph) == sorted([*crewgraph.__all__, "__version__"])


@pytest.mark.parametrize("name", crewgraph.__all__)
def test_every_public_name_resolves_to_what_its_home_defines(name: str) -> None:
    assert getattr(crewgraph, name) is getattr(import_module(f"crewgraph.{crewgraph._HOMES[name]}"), name)
    assert getattr(crewgraph, name).__doc__, f"{name} says nothing of itself"


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(AttributeError, match="module 'crewgraph' has no attribute 'Agnet'"):
        crewgraph.Agnet  # noqa: B018


def test_type_checkers_see_the_same_names(root: Path) -> None:
    text = (root / "src" / "crewgraph" / "__init__.py").read_text("utf-8")
    block = text.split("if TYPE_CHECKING:")[1].split("__version__")[0]
    imported = {n.strip() for line in re.findall(r"import (.*)", block) for n in line.split(",")}
    assert imported == set(crewgraph.__all__)


def test_every_public_name_is_in_the_readme(root: Path) -> None:
    readme = root / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not written yet")
    text = readme.read_text("utf-8")
    assert [n for n in crewgraph.__all__ if not re.search(rf"\b{n}\b", text)] == []


def test_importing_crewgraph_imports_no_heavy_package_and_costs_next_to_nothing() -> None:
    code = (
        "import sys, time; t = time.process_time(); import crewgraph; s = time.process_time() - t;"
        f"print(round(s, 3), [m for m in {HEAVY!r} if m in sys.modules])"
    )
    seconds, heavy = python(code).stdout.split(" ", 1)
    assert heavy.strip() == "[]"
    assert float(seconds) < 0.1


def test_a_layer_under_its_bare_name_fails_loudly(root: Path) -> None:
    for layer, module in (
        ("agents", "crew"),
        ("tools", "tool"),
        ("planner", "planner"),
        ("serving", "house"),
    ):
        tried = python(f"import {layer}.{module}", cwd=root)
        assert tried.returncode == 1
        assert "ImportError" in tried.stderr
        assert "beyond top-level package" in tried.stderr


def test_the_error_tree_in_the_docstring_has_every_class_once() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CrewgraphError)
    }
    drawn = re.findall(
        r"\b[A-Z]\w+\b(?=[\s:])", (errors.__doc__ or "").split("::")[1].split("Every message")[0]
    )
    assert {d for d in drawn if d in classes} == classes
    codes = [getattr(errors, name).code for name in classes]
    assert len(codes) == len(set(codes)), "two errors share a code"
    assert all(getattr(errors, name).__doc__ for name in classes)
