"""The ReAct loop, a real LangGraph graph: corrections come back, nothing is done twice, and it always ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from crewgraph import Agent, Crew, Task, TaskGraph, TaskResult
from crewgraph.agents.architectures.actions import action_schema
from crewgraph.agents.architectures.react import React
from crewgraph.agents.desk import Desk
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.worker import CrewWorker
from crewgraph.agents.writing import Brief
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew
from crewgraph.runtime.events import StepFinished
from crewgraph.tools.builtin.figures import COMBINERS
from crewgraph.tools.tool import Tool
from crewgraph.tools.toolset import Toolset

TASK = Task(id="t", description="Find the prices.", agent="clerk")
FINISH = json.dumps({"tool": "finish"})


def act(item: Any, **more: Any) -> str:
    return json.dumps({"tool": "price", "args": {"item": item, **more}})


At = Callable[..., Desk]


@pytest.fixture
def at(price: Tool, ctx: RunContext) -> At:
    def make(model: ScriptedModel, tools: list[Any] | None = None, **more: Any) -> Desk:
        agent = Agent("clerk", "Know prices.", tools=[price] if tools is None else tools, **more)
        brief = Brief("What do pen and ink cost?", "en")
        return Desk(agent, Crew([agent]), model, ctx, TASK, brief, Toolset([*agent.tools, *COMBINERS]))

    return make


async def test_it_acts_looks_and_finishes(at: At) -> None:
    model = ScriptedModel([act("pen"), act("ink", pieces=2), FINISH])
    found = await React().gather(at(model))
    assert [(one.tool, one.value["value"]) for one in found] == [("price", 12.5), ("price", 12.0)]
    seen = model.requests[-1].messages
    assert [m.role for m in seen] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert seen[3].content.startswith("Result: {")
    assert '"value": 12.5' in seen[3].content
    assert "price(item, pieces): The price of an item." in seen[0].content
    assert "compare" not in seen[0].content


async def test_it_concludes_with_a_text_written_outside_json(at: At) -> None:
    model = ScriptedModel([act("pen"), FINISH, " A pen costs 12.5 EUR. "])
    found = await React().conclude(at(model))
    assert (found.text, [one.args for one in found.seen]) == ("A pen costs 12.5 EUR.", [{"item": "pen"}])
    assert model.requests[-1].schema is None
    assert "Answer the request now" in model.requests[-1].messages[-1].content


async def test_without_tools_it_only_writes(at: At) -> None:
    model = ScriptedModel(["I do not know."])
    assert (await React().conclude(at(model, tools=[]))).text == "I do not know."
    assert "tools" not in model.requests[0].messages[0].content


async def test_wrong_arguments_come_back_as_a_correction(at: At) -> None:
    model = ScriptedModel([act("pne"), act("pen"), FINISH])
    assert len(await React().gather(at(model))) == 1
    said = model.requests[1].messages[-1].content
    assert said == "That did not work: price: item='pne' is not known; did you mean pen?"


async def test_a_repeated_action_is_noticed_and_not_carried_out(at: At, heard: list[object]) -> None:
    model = ScriptedModel([act("pen"), act("pen"), FINISH])
    assert len(await React().gather(at(model))) == 1
    assert "already done exactly this" in model.requests[2].messages[-1].content
    assert sum(isinstance(e, StepFinished) and e.name == "tool:price" for e in heard) == 1


@pytest.mark.parametrize("item", ["pen", "pne"])
async def test_a_loop_is_ended_long_before_the_turns_are_over(at: At, heard: Any, item: str) -> None:
    model = ScriptedModel(lambda _: act(item))
    assert len(await React().gather(at(model, max_turns=40))) == (item == "pen")
    assert len(model.requests) == 3
    assert heard.notes == ["clerk was stopped: it chose the same action again and again."]


async def test_a_model_that_never_finishes_is_stopped(at: At, heard: Any) -> None:
    count = iter(range(100))
    model = ScriptedModel(lambda _: act("pen", pieces=next(count)))
    assert len(await React().gather(at(model, max_turns=3))) == len(model.requests) == 3
    assert heard.notes == ["clerk stopped after 3 turns."]


@pytest.mark.parametrize("turns", [1, 12, 40])
async def test_the_limit_is_the_agents_or_its_own_and_not_langgraphs(at: At, turns: int) -> None:
    for way, most in ((React(), turns), (React(turns=turns), 2)):
        count = iter(range(100))
        model = ScriptedModel(lambda _: act(f"pne {next(count)}"))  # noqa: B023 - called at once
        assert await way.gather(at(model, max_turns=most)) == ()
        assert len(model.requests) == turns


def test_no_turns_at_all_are_refused() -> None:
    with pytest.raises(InvalidCrew, match=r"'react' has turns=0: it must be 1 or more"):
        React(turns=0)


async def test_finishing_at_once_is_allowed(at: At) -> None:
    assert await React().gather(at(ScriptedModel([FINISH]))) == ()


def test_an_action_is_one_tool_with_its_arguments_or_the_end(at: At) -> None:
    schema = action_schema(at(ScriptedModel()).toolset)
    price, finish = schema["anyOf"]
    assert price["properties"]["tool"] == {"const": "price"}
    assert price["properties"]["args"]["properties"]["item"]["enum"] == ["pen", "ink", "paper"]
    assert price["required"] == ["tool", "args"]
    assert finish["properties"] == {"tool": {"const": "finish"}}
    assert all(a["additionalProperties"] is False for a in schema["anyOf"])


def test_it_can_be_drawn() -> None:
    drawn = React().graph().get_graph().draw_mermaid()
    assert "graph TD" in drawn
    assert "turn -.-> answer" in drawn
    assert "turn -.-> turn" in drawn


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
