"""Each architecture comes to the right answer with a model that errs in the way it mends, and says it aloud."""

from __future__ import annotations

from dataclasses import replace

from crewgraph.agents.architectures import NAMES, architecture
from crewgraph.agents.architectures.architecture import Architecture, Drawable
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.events import TextDelta

from .conftest import SCRIPTS, Case, Counting, Office

COSTS = {
    "direct": 1,
    "react": 5,
    "plan_and_solve": 5,
    "reflection": 4,
    "self_consistency": 5,
    "tree_of_thoughts": 14,
    "debate": 4,
    "supervisor": 11,
}
"""Model calls that each makes on its script."""


def test_every_architecture_is_tested() -> None:
    assert set(SCRIPTS) == set(COSTS) == set(NAMES)


async def test_it_comes_to_the_answer_at_its_cost(case: Case, office: Office) -> None:
    model = Counting(case.script)
    async with office.at_work(case.shop, case.agent, model) as desk:
        found = await case.way.conclude(desk)
    assert "25 EUR" in found.text
    assert "Answer:" not in found.text
    assert len(model.done) == COSTS[case.name]
    bound = case.way.most_calls(case.agent)
    assert bound is not None
    assert len(model.done) <= bound


async def test_what_is_said_aloud_is_the_answer_and_nothing_else(case: Case, office: Office) -> None:
    async with office.at_work(case.shop, case.agent, ScriptedModel(case.script)) as desk:
        found = await case.way.conclude(desk)
    said = "".join(event.text for event in office.heard if isinstance(event, TextDelta))
    if case.name != "supervisor":  # colleagues are heard too
        assert said.strip() == found.text
    assert said.strip().endswith(found.text)


def test_it_is_an_architecture_that_can_be_drawn(case: Case) -> None:
    assert isinstance(case.way, Architecture)
    assert isinstance(case.way, Drawable)
    assert case.way.name == case.name
    drawn = case.way.graph().get_graph().draw_mermaid()
    assert drawn.count("-->") + drawn.count("-.->") >= 2


def test_a_graph_is_built_once_and_not_for_each_task(case: Case) -> None:
    again = architecture(case.name)
    assert again is case.way
    assert isinstance(again, Drawable)
    assert again.graph() is again.graph()


async def test_one_object_serves_many_tasks_at_once(case: Case, office: Office) -> None:
    from crewgraph.agents.architectures.flow import side_by_side

    async with office.at_work(case.shop, case.agent, ScriptedModel(case.script)) as desk:
        tasks = [replace(desk, ctx=desk.ctx.for_task(f"t{n}")) for n in range(4)]
        found = await side_by_side(case.way.conclude(one) for one in tasks)
    assert len({one.text for one in found}) == 1
    assert "25 EUR" in found[0].text
