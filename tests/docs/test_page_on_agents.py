"""The pages on agents and on other frameworks: their code runs, and says what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crewgraph import Agent, House, Settings
from crewgraph.agents.architectures import NAMES, architecture
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel

from .conftest import Page, module_of


@pytest.fixture
def page(pages: dict[str, Page]) -> Page:
    return pages["docs/agents.md"]


def test_every_way_of_reasoning_is_on_the_page_with_its_bound(page: Page) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", page.text, re.MULTILINE))
    agent = Agent("one", "Do it.")
    assert {name: str(architecture(name).most_calls(agent)) for name in NAMES} == rows


async def test_the_crews_of_the_page_work(page: Page, tmp_path: Path) -> None:
    shown = module_of("\n".join(page.blocks("python")), tmp_path / "page_on_agents.py")
    model = ScriptedModel(lambda request: request.choices[0] if request.choices else "Answer: with pleasure.")
    async with House.open(Settings(home=tmp_path / "home"), client=model) as house:
        outcome = await house.ask(shown.inn, "Do you have a room?")
        assert "with pleasure" in outcome.answer
    async with House.open(Settings(home=tmp_path / "home"), client=ForbiddenModel()) as house:
        assert (await house.replay(outcome.run_id, shown.inn)).answer == outcome.answer


async def test_the_graph_of_the_page_on_other_frameworks_is_an_agent(
    pages: dict[str, Page], tmp_path: Path
) -> None:
    shown = module_of("\n".join(pages["docs/interop.md"].blocks("python")), tmp_path / "page_on_interop.py")
    model = ScriptedModel(lambda request: "Answer: seven.")
    async with House.open(Settings(home=tmp_path / "home"), client=model) as house:
        outcome = await house.ask(shown.crew, "How many days has a week?")
        assert "seven" in outcome.answer
    assert len(model.requests) >= 2
