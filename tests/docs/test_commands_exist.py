"""What the pages tell people to type is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import crewgraph
from crewgraph.serving.cli.group import COMMANDS
from crewgraph.serving.cli.main import main

if TYPE_CHECKING:
    from .conftest import Page

NOT_THERE = {"walk"}
"""Shown on the page of errors because it does not exist."""

ENGINE = {"pull", "start", "stop", "status", "list", "install", "logs"}
COMMAND = re.compile(r"(?<!from )\bcrewgraph ([a-z]+)(?: ([a-z]+)\b)?")
ROOT_OPTIONS = {"--home", "--database", "--model-url", "--model", "--debug", "--version", "--help"}


@cache
def told(*arguments: str) -> str:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*arguments, "--help"]) == 0
    return out.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_in_the_readme(command: str, pages: dict[str, Page]) -> None:
    assert "Usage: crewgraph" in told(command)
    assert f"crewgraph {command}" in pages["README.md"].code


@pytest.mark.parametrize("command", sorted(ENGINE))
def test_every_engine_command_has_help_and_is_in_the_readme(command: str, pages: dict[str, Page]) -> None:
    assert "Usage: crewgraph engine" in told("engine", command)
    assert f"`{command}`" in pages["README.md"].prose


def test_every_command_that_a_page_names_exists(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for command, more in COMMAND.findall(page.code):
            assert command in COMMANDS.keys() | NOT_THERE, f"{name} names `crewgraph {command}`"
            if command == "engine" and more:
                assert more in ENGINE, f"{name} names `crewgraph engine {more}`"


def test_every_option_that_stands_beside_a_command_is_one_of_its_own(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for line in page.text.splitlines():
            found = COMMAND.search(line) if line.startswith("|") else None
            if found is None or found[1] not in COMMANDS:
                continue
            help = told("engine", found[2]) if found[1] == "engine" and found[2] else told(found[1])
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line)) - ROOT_OPTIONS:
                assert option in help, f"{name}: {option} is no option of {found[1]}"


def test_every_make_target_that_a_page_names_is_in_the_makefile(pages: dict[str, Page], root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name, page in pages.items():
        for target in re.findall(r"\bmake ([a-z-]+)\b", page.code):
            assert target in targets, f"{name} names `make {target}`"
    assert {"run", "test"} <= set(re.findall(r"make ([a-z]+)", pages["README.md"].code))


def test_every_file_that_a_command_names_is_there(pages: dict[str, Page], root: Path) -> None:
    for name, page in pages.items():
        for file in re.findall(r"\b(?:examples|benchmarks)/[\w/]+\.py\b", page.text):
            assert (root / file).is_file(), f"{name} names {file}"


def test_every_public_name_is_on_a_page(pages: dict[str, Page]) -> None:
    every = "\n".join(page.text for page in pages.values())
    assert [n for n in crewgraph.__all__ if not re.search(rf"\b{n}\b", every)] == []


def test_every_environment_variable_that_a_page_names_is_read(pages: dict[str, Page], root: Path) -> None:
    source = "\n".join(f.read_text("utf-8") for f in (root / "serving").rglob("*.py"))
    for name, page in pages.items():
        for variable in re.findall(r"\bCREWGRAPH_[A-Z_]+\b", page.text):
            assert f'"{variable}"' in source, f"{name} names {variable}"
