"""The page on planning: its code runs, and what it says of a failing tool and of search is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from crewgraph import House, Settings
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.planner.ways import Mode

from .conftest import Page, module_of


@pytest.fixture
def page(pages: dict[str, Page]) -> Page:
    return pages["docs/planning.md"]


@pytest.fixture
def shown(page: Page, tmp_path: Path) -> ModuleType:
    """The page's code, but for the search."""
    code = [block for block in page.blocks("python") if "SymbolicStrategy" not in block]
    return module_of("\n".join(code), tmp_path / "page_on_planning.py")


async def test_a_tool_that_fails_gives_way_to_one_that_tells_the_same(
    shown: ModuleType, tmp_path: Path
) -> None:
    outcome = await shown.count_cups(tmp_path / "home")
    assert "3" in outcome.answer
    assert "Missing" not in outcome.answer


async def test_the_plan_of_the_page_is_found_and_proved(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("unified_planning", reason="the extra symbolic is not installed")
    shown = module_of("\n".join(page.blocks("python")), tmp_path / "page_on_search.py")
    async with House.open(Settings(home=tmp_path / "home"), client=ForbiddenModel()) as house:
        made = await house.plan(shown.doors, "Open the gate, please.")
    assert [task.tool for task in made.tasks][:2] == ["unlock", "push_open"]
    assert made.tasks[1].needs == (made.tasks[0].id,)


def test_every_way_of_planning_is_on_the_page(page: Page) -> None:
    assert re.findall(r"^\| `(\w+)`", page.text, re.MULTILINE) == list(get_args(Mode))
