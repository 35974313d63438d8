"""Crews of every process on a small model that really runs: they end, within their bounds, and are replayed without it."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph import Agent, Crew, House, Settings, Task, tool
from crewgraph.agents.guarding.judge import Judge
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.agents.working.blackboard import Blackboard
from crewgraph.runtime.events import Event, TaskFinished

pytestmark = pytest.mark.engine


def crew(process: Any) -> Crew:
    @tool
    async def capital(country: str) -> str:
        """The capital of a country.

        Args:
            country: Its name in English.
        """
        return "Oslo" if "orway" in country else "unknown"

    guide = Agent(
        "guide",
        "Know capitals.",
        tools=[capital],
        architecture="react",
        delegates=True,
        max_turns=2,
        max_tokens=40,
    )
    writer = Agent(
        "writer",
        "Write one sentence.",
        architecture="direct",
        max_tokens=40,
        guardrails=[Judge("It is written in English.")],
        corrections=1,
    )
    tasks = [] if process == "conversation" else [Task(id="t", description="Name the capital of Norway.")]
    return Crew(
        [guide, writer], tasks=tasks, process=process, turns=2 if not tasks else None, board=Blackboard()
    )


@pytest.mark.parametrize("process", ["sequential", "hierarchical", "conversation"])
async def test_it_ends_and_is_replayed(shared_home: Settings, process: str) -> None:
    heard: list[Event] = []
    made = crew(process)
    async with House.open(shared_home) as house:
        found = await house.ask(made, "What is the capital of Norway?", listeners=[heard.append])
    assert found.answer
    assert len([e for e in heard if isinstance(e, TaskFinished)]) <= 3
    async with House.open(shared_home, client=ForbiddenModel()) as house:
        assert (await house.replay(found.run_id, made)).answer == found.answer
