"""The ReAct loop, a real LangGraph graph: corrections come back, nothing is done twice, and it always ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from crewgraph import Agent, Crew, Task, TaskGraph, TaskResult
from crewgraph.agents.architectures.react import React
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.worker import CrewWorker
from crewgraph.agents.writing import Brief
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import StepFinished
from crewgraph.tools.builtin.figures import COMBINERS
from crewgraph.tools.tool import Tool
from crewgraph.tools.toolset import Toolset

TASK = Task(id="t", description="Find the prices.", agent="clerk")
FINISH = json.dumps({"tool": "finish"})


def act(item: Any, **more: Any) -> str:
    return json.dumps({"tool": "price", "args": {"item": item, **more}})


Loop = Callable[..., React]


@pytest.fixture
def loop(price: Tool, ctx: RunContext) -> Loop:
    def make(model: ScriptedModel, **more: Any) -> React:
        agent = Agent("clerk", "Know prices.", tools=[price], **more)
        return React(agent, Toolset([price, *COMBINERS]), model, ctx)

    return make


BRIEF = Brief("What do pen and ink cost?", "en")


async def test_it_acts_looks_and_finishes(loop: Loop) -> None:
    model = ScriptedModel([act("pen"), act("ink", pieces=2), FINISH])
    found = await loop(model).run(TASK, BRIEF)
    assert [(name, value["value"]) for name, value in found] == [("price", 12.5), ("price", 12.0)]
    seen = model.requests[-1].messages
    assert [m.role for m in seen] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert seen[3].content.startswith("Result: {")
    assert '"value": 12.5' in seen[3].content
    assert "price(item, pieces): The price of an item." in seen[0].content
    assert "compare" not in seen[0].content


async def test_wrong_arguments_come_back_as_a_correction(loop: Loop) -> None:
    model = ScriptedModel([act("pne"), act("pen"), FINISH])
    found = await loop(model).run(TASK, BRIEF)
    assert len(found) == 1
    said = model.requests[1].messages[-1].content
    assert said == "That did not work: price: item='pne' is not known; did you mean pen?"


async def test_a_repeated_action_is_noticed_and_not_carried_out(loop: Loop, heard: list[object]) -> None:
    model = ScriptedModel([act("pen"), act("pen"), FINISH])
    found = await loop(model).run(TASK, BRIEF)
    assert len(found) == 1
    assert "already done exactly this" in model.requests[2].messages[-1].content
    assert sum(isinstance(e, StepFinished) and e.name == "tool:price" for e in heard) == 1


async def test_a_model_that_never_finishes_is_stopped(loop: Loop, heard: Any) -> None:
    count = iter(range(100))
    model = ScriptedModel(lambda _: act("pen", pieces=next(count)))
    found = await loop(model, max_turns=3).run(TASK, BRIEF)
    assert len(found) == len(model.requests) == 3
    assert heard.notes == ["clerk stopped after 3 turns."]


@pytest.mark.parametrize("turns", [1, 12, 40])
async def test_the_limit_is_the_agents_not_langgraphs(loop: Loop, turns: int) -> None:
    model = ScriptedModel(lambda _: act("pne"))
    assert await loop(model, max_turns=turns).run(TASK, BRIEF) == []
    assert len(model.requests) == turns


async def test_finishing_at_once_is_allowed(loop: Loop) -> None:
    assert await loop(ScriptedModel([FINISH])).run(TASK, BRIEF) == []


def test_an_action_is_one_tool_with_its_arguments_or_the_end(loop: Loop) -> None:
    schema = loop(ScriptedModel()).action_schema()
    price, finish = schema["anyOf"]
    assert price["properties"]["tool"] == {"const": "price"}
    assert price["properties"]["args"]["properties"]["item"]["enum"] == ["pen", "ink", "paper"]
    assert price["required"] == ["tool", "args"]
    assert finish["properties"] == {"tool": {"const": "finish"}}
    assert all(a["additionalProperties"] is False for a in schema["anyOf"])


def test_it_can_be_drawn(loop: Loop) -> None:
    drawn = loop(ScriptedModel()).graph().get_graph().draw_mermaid()
    assert "graph TD" in drawn
    assert "decide" in drawn
    assert "act --> decide" in drawn


async def test_a_trusted_model_gathers_and_then_writes_from_what_it_found(
    price: Tool, ctx: RunContext
) -> None:
    crew = Crew([Agent("clerk", "Know prices.", tools=[price])])
    model = ScriptedModel([act("pen"), FINISH, "A pen costs nothing. The pen price is 12.5 EUR."])
    worker = CrewWorker(crew, TaskGraph([TASK]), model, "What does a pen cost?", "en", reasons=True)
    result: TaskResult = await worker(TASK, ctx)
    assert result.text.startswith("pen: price 12.5 EUR.")
    assert "costs nothing" not in result.text
    assert result.evidence == ("pen: price 12.5 EUR [price]",)


async def test_an_untrusted_model_chooses_no_action(price: Tool, ctx: RunContext) -> None:
    crew = Crew([Agent("clerk", "Know prices.", tools=[price])])
    model = ScriptedModel(["I do not know."])
    worker = CrewWorker(crew, TaskGraph([TASK]), model, "What does a pen cost?", "en", reasons=False)
    assert (await worker(TASK, ctx)).text == "I do not know."
    assert model.requests[0].schema is None
