"""A model that chooses among what the rules lay out: what it is offered, what is taken, and when the rules' plan stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crewgraph import Agent, Crew, tool
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.asked import Asked, Example
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.guided import Guided
from crewgraph.planner.strategies.rules import by_rules
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.graph import Task

REQUEST = "What is the weather in Oslo for the next 3 days?"


@tool
def weather(city: str, days: int = 1) -> str:
    """The weather forecast for a city.

    Args:
        city: The city.
        days: For how many days.
    """
    return ""


@tool
def tides(harbour: str) -> str:
    """When the tide comes to a harbour.

    Args:
        harbour: The harbour.
    """
    return ""


@pytest.fixture
def coast() -> Crew:
    return Crew([Agent("watch", "Look out.", tools=[weather, tides])], name="coast")


def reply(*tasks: dict[str, Any]) -> str:
    return json.dumps({"tasks": list(tasks)})


async def test_the_model_is_offered_the_draft_and_only_values_that_are_there(
    coast: Crew, ctx: RunContext
) -> None:
    model = ScriptedModel([reply({"tool": "weather", "args": {"city": "Oslo", "days": 3}})])
    plan = await Guided(model).plan(Asked(coast, REQUEST), ctx)
    assert [(t.tool, t.args) for t in plan.tasks if t.tool] == [("weather", {"city": "Oslo", "days": 3})]
    assert plan.strategy == "guided"
    asked = model.requests[0]
    assert '"city": "Oslo"' in asked.messages[-1].content
    schema = json.dumps(asked.schema)
    assert '"enum": ["Oslo"' in schema
    assert asked.schema is not None
    assert wrong(check(plan.tasks, coast)) == []


@pytest.mark.parametrize(
    "written",
    [
        reply({"tool": "weather", "args": {}}),
        reply({"tool": "weather", "args": {"city": "$t9", "days": 3}}),
        reply(),
        json.dumps({"plan": []}),
    ],
)
async def test_where_the_choice_cannot_be_carried_out_the_rules_plan_stands(
    coast: Crew, ctx: RunContext, written: str
) -> None:
    plan = await Guided(ScriptedModel([written])).plan(Asked(coast, REQUEST), ctx)
    assert plan.tasks == by_rules(coast, REQUEST).tasks
    assert "The rules' plan was kept" in plan.notes[-1]


async def test_the_same_call_is_planned_once(coast: Crew, ctx: RunContext) -> None:
    call = {"tool": "weather", "args": {"city": "Oslo", "days": 3}}
    plan = await Guided(ScriptedModel([reply(call, call)])).plan(Asked(coast, REQUEST), ctx)
    assert [t.tool for t in plan.tasks if t.tool] == ["weather"]


async def test_no_model_is_asked_where_no_tool_is_spoken_of(coast: Crew, ctx: RunContext) -> None:
    model = ScriptedModel([])
    plan = await Guided(model).plan(Asked(coast, "zzz"), ctx)
    assert plan.strategy == "direct"
    assert model.requests == []


def test_agents_without_tools_each_get_their_part_of_a_request() -> None:
    crew = Crew(
        [
            Agent("poet", "Write poems."),
            Agent("translator", "Translate texts into other languages."),
            Agent("host", "Answer."),
        ],
        name="pen",
    )
    plan = by_rules(crew, "Write a poem about rain, then translate it into French.")
    assert [(t.agent, t.needs) for t in plan.tasks[:-1]] == [("poet", ()), ("translator", ("t1",))]
    assert wrong(check(plan.tasks, crew)) == []
    assert len(by_rules(crew, "Write a poem about rain.").tasks) == 1


def test_the_steps_of_a_plan_that_worked_for_nearly_the_same_are_taken_again() -> None:
    crew = Crew([Agent("cook", "Cook."), Agent("host", "Answer.")], name="kitchen")
    steps = (
        Task(id="a", description="Boil water.", agent="cook"),
        Task(id="b", description="Pour it over the tea.", agent="cook", depends_on=("a",)),
    )
    plan = by_rules(crew, "Make black tea.", examples=[Example("Make green tea.", steps, 0.9)])
    assert [t.description for t in plan.tasks[:-1]] == ["Boil water.", "Pour it over the tea."]
    assert plan.tasks[-1].needs == ("b",)
    unlike = by_rules(crew, "Make black tea.", examples=[Example("Sing a song.", steps, 0.1)])
    assert len(unlike.tasks) == 1
