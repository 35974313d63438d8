"""Goals are read off a request where it names things and predicates; a model may fill in goals and nothing more."""

from __future__ import annotations

import json

import jsonschema
import pytest

from crewgraph import Crew
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.symbolic.goals import goal_schema, model_goals, named_goals, wishes
from crewgraph.planner.symbolic.problem import Operator, Problem, said
from crewgraph.planner.symbolic.world import setting
from crewgraph.runtime.context import RunContext
from crewgraph.serving.client.answers import Checked, shape_of
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings
from crewgraph.tools.planning import Literal

from .depot import world


def read(crew: Crew, request: str) -> list[str]:
    base = setting(crew, world())
    return [said(one) for one in named_goals(request, base.problem, wishes(base.problem, base.tools))]


@pytest.mark.parametrize(
    ("request_", "goals"),
    [
        ("The letters should be at the harbour.", ["at(letters, harbour)"]),
        ("Deliver the letters to the harbour and the books to the school.",
         ["at(letters, harbour)", "at(books, school)"]),
        ("Letters and books are to be delivered to the school", ["at(letters, school)", "at(books, school)"]),
        ("At the school I want the books.", ["at(books, school)"]),
        ("I want the books in the blue van, please!", ["in(books, blue van)"]),
        ("The books must not be at the depot.", ["not at(books, depot)"]),
        ("at(books, school) and stands(red van, harbour)", ["at(books, school)", "stands(red van, harbour)"]),
        ("把 letters 送货到 harbour。", ["at(letters, harbour)"]),
        ("What is the weather at the harbour?", []),
        ("Paint the letters.", []),
        ("", []),
    ],
)  # fmt: skip
def test_goals_that_are_named(depot: Crew, request_: str, goals: list[str]) -> None:
    assert read(depot, request_) == goals


def test_of_one_kind_the_order_of_words_tells_which_is_which() -> None:
    stack = Operator("stack", ("a", "b"), (), (Literal.parse("on({a}, {b})"),), {"a": "block", "b": "block"})
    problem = Problem((stack,), dict.fromkeys(("red", "blue", "green"), "block"), (), ())
    found = named_goals("Put red on blue, and blue on green.", problem, wishes(problem, {}))
    assert [said(one) for one in found] == ["on(red, blue)", "on(blue, green)"]


def test_a_model_can_write_nothing_but_goals_of_this_world(depot: Crew) -> None:
    base = setting(depot, world())
    schema = goal_schema(base.problem, wishes(base.problem, base.tools))
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"goals": [{"fact": "at", "things": ["books", "school"], "holds": True}]}
    jsonschema.validate(good, schema)
    for bad in (
        {"goals": []},
        {"goals": [{"fact": "drive", "things": ["red van", "depot", "school"], "holds": True}]},
        {"goals": [{"fact": "at", "things": ["red van", "school"], "holds": True}]},
        {"goals": [{"fact": "at", "things": ["books"], "holds": True}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


def test_goals_about_nothing_in_particular_can_be_written_too() -> None:
    pay = Operator("pay", (), (), (Literal("paid"),))
    problem = Problem((pay,), {}, (), ())
    wished = wishes(problem, {})
    schema = goal_schema(problem, wished)
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"goals": [{"fact": "paid", "things": [], "holds": True}]}, schema)
    assert [said(one) for one in named_goals("I want it paid.", problem, wished)] == ["paid"]


async def test_a_models_goals_are_taken(depot: Crew, ctx: RunContext) -> None:
    base = setting(depot, world())
    written = {"goals": [{"fact": "at", "things": ["books", "school"], "holds": True}]}
    model = ScriptedModel([json.dumps(written)])
    wished = wishes(base.problem, base.tools)
    goals = await model_goals(ctx, model, "Our pupils want to read.", base.problem, wished)
    assert [said(one) for one in goals] == ["at(books, school)"]
    assert "drive" not in str(model.requests[0].schema)


@pytest.mark.engine
async def test_on_a_real_engine_a_small_model_writes_goals_of_this_world(
    depot: Crew, shared_home: Settings, ctx: RunContext
) -> None:
    base = setting(depot, world())
    wished = wishes(base.problem, base.tools)
    async with engine_client(shared_home) as client:
        checked = Checked(client, shape=shape_of("llamacpp"))
        goals = await model_goals(ctx, checked, "Our pupils want to read.", base.problem, wished)
    assert goals
    known = {(wish.name, len(wish.kinds)) for wish in wished}
    assert {(goal.name, len(goal.terms)) for goal in goals} <= known
    assert all(term in base.problem.objects for goal in goals for term in goal.terms)
