"""A deed that no tool does is refused in a sentence; lookups about the things it names are no answer to it."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crewgraph import Agent, Crew, Tool, tool
from crewgraph.agents.architectures.architecture import Architecture, Concluded
from crewgraph.agents.architectures.reflection import Reflection
from crewgraph.agents.desk import Desk
from crewgraph.planner.asked import Asked
from crewgraph.planner.plan import Plan
from crewgraph.planner.reach import unreachable
from crewgraph.planner.strategies.rules import by_rules
from crewgraph.runtime.graph import Task

Made = Callable[..., Crew]

COUNTRIES = Path(__file__).parents[2] / "examples" / "countries.py"


@pytest.fixture
def crew() -> Made:
    researcher, *others = runpy.run_path(str(COUNTRIES))["crew"].agents

    def make(*tools: Tool, architecture: Architecture | None = None) -> Crew:
        helper = Agent("helper", "Help.", architecture=architecture)
        return Crew([replace(researcher, tools=[*researcher.tools, *tools]), helper, *others], name="desk")

    return make


def refusal(request: str, by: Crew) -> str:
    plan = by_rules(by, request)
    return str(unreachable(Asked(by, request), plan) or "")


@pytest.mark.parametrize(
    ("request_", "verb"),
    [
        ("Send an email to the president of France", "send"),
        ("Could you please book a flight to France?", "book"),
        ("I want to buy a house in Spain", "buy"),
        ("Delete France", "delete"),
        ("Transfer 100 euro to Spain", "transfer"),
        ("Send the population of France to my boss", "send"),
    ],
)
def test_lookups_are_no_answer_to_a_deed(request_: str, verb: str, crew: Made) -> None:
    plan = by_rules(crew(), request_)
    assert any(task.tool for task in plan.tasks)
    assert refusal(request_, crew()).startswith(f"Cannot: no tool of this crew can {verb} (“{request_}”)")


@pytest.mark.parametrize(
    "request_",
    [
        "Which has more people, France or Spain?",
        "Send me how many people live in France",
        "Please send the capital of France to me",
        "Look up the capital of France, then book a hotel there",
        "What is the capital of Spain?",
    ],
)
def test_what_can_be_looked_up_is(request_: str, crew: Made) -> None:
    assert not refusal(request_, crew())


def test_in_chinese_too(crew: Made) -> None:
    words = crew()
    assert "no tool of this crew can 预订" in refusal("预订去法国的机票", words)
    assert not refusal("把法国的人口发给我", words)


def test_a_tool_named_by_the_verb_or_by_one_like_it_is_trusted(crew: Made) -> None:
    @tool
    def reserve_seat(country: str) -> str:
        """Reserve a seat on a flight to a country."""
        return country

    assert not refusal("Book a flight to France", crew(reserve_seat))
    assert refusal("Delete France", crew(reserve_seat))


def test_a_tool_that_does_whatever_a_person_could_is_trusted(crew: Made) -> None:
    @tool
    def click(link: str) -> str:
        """Click on a link to a country's page: France, Spain."""
        return link

    plan = Plan(
        tasks=(Task(id="t1", description="click", agent="researcher", tool="click"),), strategy="rules"
    )
    request = "Book a flight to France"
    assert unreachable(Asked(crew(click), request), plan) is None


def test_a_plan_that_changes_something_is_trusted(crew: Made) -> None:
    @tool(effect="once")
    def courier(country: str) -> str:
        """Courier to a country."""
        return country

    assert not refusal("Send flowers by courier to France", crew(courier))


def test_an_agent_of_another_framework_may_have_tools_that_nobody_sees(crew: Made) -> None:
    class Foreign:
        name = "foreign"

        def most_calls(self, agent: Agent) -> int | None:
            return None

        async def conclude(self, desk: Desk) -> Concluded:
            return Concluded("")

    assert not refusal("Book a flight to France", crew(architecture=Foreign()))
    assert refusal("Book a flight to France", crew(architecture=Reflection()))
