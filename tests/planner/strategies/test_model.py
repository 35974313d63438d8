"""What a model is told that plans: the crew first and always the same, plans that worked, what is done; and how it mends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crewgraph import Budget, Crew
from crewgraph.agents.model import Message
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.asked import Asked, Example, SoFar, call_key
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.model import ModelStrategy
from crewgraph.planner.strategies.strategy import Strategy
from crewgraph.planner.strategies.written.prompt import signature
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.graph import Task, TaskResult

from .conftest import plan_text, shapes

ROSTER = {"tool": "roster", "args": {"town": "Ghent"}}
ADA = {"tool": "phone", "args": {"name": "Ada"}}


def task(task_id: str, tool: str | None, **more: Any) -> Task:
    return Task(id=task_id, description="", tool=tool, **more)


def test_tools_are_shown_with_what_they_take_and_give(choir: Crew, shop: Crew) -> None:
    assert signature(choir.toolset["roster"]) == "roster(town: text) -> {town: text, people: list of Person}"
    assert (
        signature(choir.toolset["pay"]) == "pay(age: whole number, hours?: number) -> {value: number or text}"
    )
    assert signature(shop.toolset["convert_currency"]).startswith(
        "convert_currency(amount: number, to: USD|CNY|GBP)"
    )
    assert signature(shop.toolset["compare"]).startswith("compare(facts: list of a figure or text)")


async def test_everything_that_can_be_said_of_a_task_is_read(choir: Crew, ctx: RunContext) -> None:
    written = {
        "tool": "phone",
        "each": "$t1.people",
        "args": {"name": "$item.name"},
        "when": {"value": "$t1.people", "test": "not_empty"},
        "needs_approval": True,
        "budget": {"seconds": 10},
        "optional": True,
    }
    words = {"agent": "speaker", "task": "Make a list", "after": ["$t2"]}
    model = ScriptedModel([plan_text(ROSTER, written, words)])
    asked = Asked(
        choir, "If any sing in Ghent, ask me and call them", budget=Budget(seconds=60), trusted=True
    )
    strategy = ModelStrategy(model)
    assert isinstance(strategy, Strategy)
    plan = await strategy.plan(asked, ctx)
    _, calls, listing, answer = plan.tasks
    assert (calls.each, calls.args, calls.approval, calls.optional) == (
        "$t1.people",
        {"name": "$item.name"},
        True,
        True,
    )
    assert calls.when is not None
    assert calls.when.test == "not_empty"
    assert calls.allowance is not None
    assert calls.allowance.seconds == 10
    assert (listing.tool, listing.agent, listing.depends_on) == (None, "speaker", ("t2",))
    assert answer.depends_on == ("t3",)
    assert plan.strategy == "model"


async def test_a_price_is_no_reference(choir: Crew, ctx: RunContext) -> None:
    model = ScriptedModel([plan_text({"tool": "phone", "args": {"name": "$100"}})])
    plan = await ModelStrategy(model).plan(Asked(choir, "Who is called $100?"), ctx)
    assert plan.tasks[0].args == {"name": "$$100"}
    assert plan.tasks[0].needs == ()


async def test_the_crews_part_comes_first_and_is_the_same_for_all_requests(
    choir: Crew, ctx: RunContext
) -> None:
    model = ScriptedModel([plan_text(ROSTER)] * 2)
    example = Example("Who sings in Bruges?", (task("x", "roster", args={"town": "Bruges"}), task("y", None)))
    history = [Message("user", "Hello"), Message("assistant", "Hi")]
    await ModelStrategy(model).plan(Asked(choir, "One", examples=[example], history=history), ctx)
    await ModelStrategy(model).plan(Asked(choir, "If two, ask me"), ctx)
    first, second = (request.messages for request in model.requests)
    assert first[0] == second[0]
    assert first[0].role == "system"
    assert [m.content for m in first[1:5]] == [
        "Request: Who sings in Bruges?\nWrite the plan as JSON.",
        '{"tasks":[{"tool":"roster","args":{"town":"Bruges"}}]}',
        "Hello",
        "Hi",
    ]
    assert first[-1].content.startswith("Request: One\n")
    assert first[-1].content.endswith("Write the plan as JSON.")


async def test_only_examples_that_this_crew_could_carry_out_are_shown(choir: Crew, ctx: RunContext) -> None:
    good = (
        task("a-1", "roster", args={"town": "Bruges"}),
        task("a-2", "phone", each="$a-1.people", args={"name": "$item.name"}, agent="secretary"),
        task("z", None, depends_on=("a-2",)),
    )
    foreign = (task("a", "teleport", args={}), task("z", None, depends_on=("a",)))
    asked = Asked(choir, "?", examples=[Example("Foreign", foreign), Example("Good", good)])
    model = ScriptedModel([plan_text(ROSTER)])
    await ModelStrategy(model).plan(asked, ctx)
    messages = model.requests[0].messages
    assert "Foreign" not in str(messages)
    assert json.loads(messages[2].content) == {
        "tasks": [
            {"tool": "roster", "args": {"town": "Bruges"}},
            {"tool": "phone", "each": "$t1.people", "args": {"name": "$item.name"}},
        ]
    }


def so_far(**more: Any) -> SoFar:
    tasks = (
        task("t1", "roster", agent="manager", args={"town": "Ghent"}),
        task("t2", "phone", agent="secretary", args={"name": "Ada"}),
        task("t5", "pay", agent="manager", args={"age": 3}),
        task("answer", None, agent="speaker", depends_on=("t1", "t2", "t5")),
    )
    found = {"t1": TaskResult(value={"town": "Ghent", "people": []}, text="nobody sings " * 99)}
    return SoFar(tasks, found, {"t2": "the line is dead"}, "Task t2 failed: the line is dead.", **more)


async def test_a_changed_plan_keeps_what_is_done_and_plans_only_the_rest(
    choir: Crew, ctx: RunContext
) -> None:
    model = ScriptedModel([plan_text({"tool": "pay", "args": {"age": 9}})])
    plan = await ModelStrategy(model).plan(Asked(choir, "Who?", so_far=so_far()), ctx)
    assert shapes(plan.tasks) == [
        ("t1", "roster", {"town": "Ghent"}),
        ("t2", "pay", {"age": 9}),
        ("answer", None, {}),
    ]
    assert plan.tasks[0] == so_far().tasks[0]
    assert plan.tasks[-1].depends_on == ("t1", "t2")
    said = model.requests[0].messages[-1].content
    assert 't1 = roster(town="Ghent"): {"town": "Ghent", "people": []}' in said
    assert 'phone(name="Ada"): the line is dead' in said
    assert not wrong(check(plan.tasks, choir))


async def test_what_failed_is_not_planned_again_the_same(choir: Crew, ctx: RunContext) -> None:
    again = {"tool": "phone", "args": {"name": "Bo"}}
    tried = frozenset({call_key(task("x", "phone", args={"name": "Bo"}))})
    model = ScriptedModel([plan_text(ADA), plan_text(again), plan_text()])
    plan = await ModelStrategy(model).plan(Asked(choir, "Who?", so_far=so_far(tried=tried)), ctx)
    assert [t.id for t in plan.tasks] == ["t1", "answer"]
    assert len(model.requests) == 3
    assert "the same call has failed before" in model.requests[2].messages[-1].content


@pytest.mark.parametrize(
    "text",
    [
        '"no"',
        '{"tasks": 3}',
        '{"tasks": [3]}',
        '{"tasks": [{"agent": "speaker"}]}',
        '{"tasks": [{"tool": "phone", "args": []}]}',
        '{"tasks": [{"tool": "phone", "args": {"name": "a"}, "when": "now"}]}',
        '{"tasks": [{"tool": "nothing", "args": {}}]}',
    ],
)
async def test_whatever_a_model_writes_is_refused_in_words(choir: Crew, ctx: RunContext, text: str) -> None:
    with pytest.raises(InvalidPlan, match=r"stayed wrong after 2 repairs: (Task t1|The plan): "):
        await ModelStrategy(ScriptedModel([text] * 3)).plan(Asked(choir, "?"), ctx)


async def test_a_crew_without_tools_is_asked_for_no_plan(ctx: RunContext) -> None:
    from crewgraph import Agent

    plan = await ModelStrategy(ForbiddenModel()).plan(Asked(Crew([Agent("a", "b")]), "Hm?"), ctx)
    assert [t.id for t in plan.tasks] == ["answer"]


async def test_of_many_tools_those_nearest_to_the_request_are_shown(ctx: RunContext) -> None:
    from crewgraph import Agent, tool

    def made(number: int) -> Any:
        async def look(what: str) -> str:
            return what

        look.__doc__ = f"Look into drawer {number}."
        return tool(name=f"drawer_{number}")(look)

    @tool
    def weather(town: str) -> str:
        """The weather in a town."""
        return town

    crew = Crew([Agent("a", "Look.", tools=[*map(made, range(60)), weather])])
    model = ScriptedModel([plan_text({"tool": "weather", "args": {"town": "Ghent"}})])
    worked = Example("The last drawer?", (task("x", "drawer_59", args={"what": "?"}), task("y", None)))
    await ModelStrategy(model).plan(Asked(crew, "How is the weather in Ghent?", examples=[worked]), ctx)
    said = model.requests[0].messages[0].content
    assert "- weather(town: text)" in said
    assert "- drawer_59(" in said
    assert said.count("- drawer_") == 15
    assert "- compare(" in said
