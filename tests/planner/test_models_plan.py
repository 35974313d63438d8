"""Who plans: the model where it has shown that it can, the rules where it has not, nobody where talk is small."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Budget, Crew, ModelRequest
from crewgraph.agents.aptitude import Aptitude, probe
from crewgraph.agents.model import Message
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.plan import Plan
from crewgraph.planner.planner import Mode, Planner
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.store import open_store

QUIZ = {
    "Oslo": "weather", "Spanish": "translate", "17 percent": "calculator", "Thursday": "calendar", "Anna": "mail",
    "Rome": "weather", "48 by 119": "calculator", "dentist": "calendar", "Bob": "mail", "French": "translate",
}  # fmt: skip
PEN = {"agent": "clerk", "tool": "price", "args": {"item": "pen"}}
YUAN = {"agent": "banker", "tool": "convert_currency", "args": {"amount": "$t1.value", "to": "CNY"}}


def able(request: ModelRequest) -> str:
    """Answers the quiz of tool choices rightly."""
    asked = request.messages[-1].content.split("Request: ")[1]
    return next(answer for part, answer in QUIZ.items() if part in asked)


def scripted(*plans: list[dict[str, Any]]) -> ScriptedModel:
    """Passes the quiz, and then writes these plans."""
    left = iter(plans)
    return ScriptedModel(lambda r: able(r) if r.choices else json.dumps({"tasks": next(left)}))


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[RunContext]:
    async with open_store(tmp_path / "runs.db") as store, await store.create_run("shop", "?") as journal:
        yield RunContext(journal)


BOTH = "Find the prices of a pen and of ink, compare them, and then convert the price of the pen into yuan."
"""More than a call or two: worth a plan."""

Planning = Callable[..., Any]


@pytest.fixture
def plan(shop: Crew, ctx: RunContext) -> Planning:
    async def planned(model: ScriptedModel, request: str, mode: Mode = "auto", **more: Any) -> Plan:
        async def aptitude() -> Aptitude:
            return await probe(model)

        planner = Planner(shop, model, aptitude, mode)
        return await planner.plan(await planner.asked(request, ctx, **more), ctx)

    return planned


def shape(plan: Plan) -> list[tuple[str, str | None, dict[str, Any]]]:
    return [(t.id, t.tool, t.args) for t in plan.tasks]


async def test_a_models_valid_plan_is_taken(plan: Planning) -> None:
    made = await plan(scripted([PEN, YUAN]), BOTH)
    assert made.strategy == "model"
    assert shape(made) == [
        ("t1", "price", {"item": "pen"}),
        ("t2", "convert_currency", {"amount": "$t1.value", "to": "CNY"}),
        ("answer", None, {}),
    ]
    assert made.tasks[-1].agent == "host"
    assert made.tasks[-1].needs == ("t2",)
    assert made.notes == ("The model planned.",)


async def test_a_wrong_plan_comes_back_with_what_is_wrong_and_is_mended(plan: Planning) -> None:
    model = scripted([{**PEN, "agent": "banker"}, YUAN], [PEN, YUAN])
    made = await plan(model, BOTH)
    assert made.strategy == "model"
    assert made.notes == ("The model planned, and mended its plan once.",)
    said = model.requests[-1].messages[-1].content
    assert "banker may not use price; give it to clerk" in said


async def test_a_hopeless_model_is_refused_where_only_the_model_may_plan(plan: Planning) -> None:
    model = scripted(*[[{**PEN, "agent": "banker"}]] * 3)
    with pytest.raises(InvalidPlan, match="stayed wrong after 2 repairs: Task t1: banker may not use price"):
        await plan(model, "What does a pen cost?", "model")
    assert len([r for r in model.requests if r.schema]) == 3


async def test_a_hopeless_model_gives_way_to_the_rules_visibly(plan: Planning) -> None:
    made = await plan(scripted(*[[{**PEN, "agent": "banker"}]] * 3), BOTH)
    assert made.strategy == "rules"
    assert ("price", {"item": "pen"}) in [(tool, args) for _, tool, args in shape(made)]
    assert made.notes[0].startswith("The model's plan stayed wrong")
    assert made.notes[0].endswith("The rules planned instead.")


async def test_a_model_that_fails_the_quiz_is_not_asked_for_a_plan(plan: Planning) -> None:
    model = ScriptedModel(lambda r: r.choices[0])
    made = await plan(model, BOTH)
    assert made.strategy == "rules"
    assert re.search(r"in \d of 10 trial questions: too weak to plan, so the rules planned\.", made.notes[0])
    assert all(r.choices for r in model.requests)
    assert len(model.requests) == 10


async def test_a_favourite_answer_gains_nothing_in_the_quiz() -> None:
    for place in range(5):
        assert not (await probe(ScriptedModel(lambda r, n=place: r.choices[n]))).plans
    for name in set(QUIZ.values()):
        assert not (await probe(ScriptedModel(lambda r, n=name: n))).plans  # type: ignore[misc]
    assert (await probe(ScriptedModel(able))).plans


async def test_with_the_rules_no_model_is_asked(plan: Planning) -> None:
    made = await plan(ForbiddenModel(), "What does a pen cost?", "rules")
    assert made.strategy == "rules"


@pytest.mark.parametrize("request_", ["Hello!", "你好", "Thanks, that's all"])
async def test_small_talk_pays_for_no_plan(plan: Planning, request_: str) -> None:
    made = await plan(ForbiddenModel(), request_)
    assert made.strategy == "small_talk"
    assert shape(made) == [("answer", None, {})]


async def test_the_history_reaches_the_planner(plan: Planning) -> None:
    history = [Message("user", "What does a pen cost?"), Message("assistant", "12.5 EUR")]
    made = await plan(ForbiddenModel(), "And a ruler?", "rules", history=history)
    assert shape(made)[0] == ("t1", "price", {"item": "ruler"})
    model = scripted([PEN])
    await plan(model, "And again?", "model", history=history)
    assert [m.content for m in model.requests[-1].messages[1:3]] == ["What does a pen cost?", "12.5 EUR"]


async def test_a_plan_over_the_budget_is_refused(shop: Crew, tmp_path: Path) -> None:
    async def nobody() -> Aptitude:
        raise AssertionError("the rules plan")

    async with open_store(tmp_path / "b.db") as store, await store.create_run("shop", "?") as journal:
        ctx = RunContext(journal, budget=Budget(tool_calls=1))
        planner = Planner(shop, ForbiddenModel(), nobody, "rules")
        asked = await planner.asked("Which costs more, a pen or ink?", ctx)
        with pytest.raises(InvalidPlan, match="to take 3 tool calls, and the budget allows 1"):
            await planner.plan(asked, ctx)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([YUAN], "wait for each other in a circle"),
        ([PEN, {**YUAN, "args": {"amount": "$t5.value", "to": "CNY"}}], "'t5', which is not in the graph"),
        (
            [PEN, {**YUAN, "args": {"amount": "$t1.value", "to": "USD"}}, {**PEN, "agent": "host"}],
            "Task t3: host may not",
        ),
    ],
)
async def test_references_that_lead_nowhere_are_refused_in_words(
    plan: Planning, tasks: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(InvalidPlan, match=said):
        await plan(scripted(*[tasks] * 3), "A pen in yuan?", "model")


async def test_a_plan_without_tools_is_an_answer_alone(plan: Planning) -> None:
    assert shape(await plan(scripted([]), "Tell me about philosophy")) == [("answer", None, {})]
