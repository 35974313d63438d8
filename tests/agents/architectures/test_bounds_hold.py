"""No architecture makes more model calls than it says, whatever the model does, and limits of the run pass through it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph import Agent, ModelRequest
from crewgraph.agents.architectures import NAMES
from crewgraph.agents.architectures.architecture import Architecture
from crewgraph.agents.architectures.debate import Debate
from crewgraph.agents.architectures.direct import Direct
from crewgraph.agents.architectures.plan_and_solve import PlanAndSolve
from crewgraph.agents.architectures.react import React
from crewgraph.agents.architectures.reflection import Reflection
from crewgraph.agents.architectures.self_consistency import SelfConsistency
from crewgraph.agents.architectures.supervisor import Supervisor
from crewgraph.agents.architectures.tree_of_thoughts import TreeOfThoughts
from crewgraph.agents.model import ModelReply
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import BudgetExceeded, InvalidCrew
from crewgraph.runtime.journalling.journal import Journal

from .conftest import Case, Office, Shop, never_stops

few = st.integers(1, 4)
WAYS: st.SearchStrategy[Architecture] = st.one_of(
    st.builds(Direct),
    st.builds(React, turns=few),
    st.builds(PlanAndSolve, steps=few),
    st.builds(Reflection, rounds=few),
    st.builds(SelfConsistency, samples=few),
    st.builds(TreeOfThoughts, breadth=few, branches=few, depth=few),
    st.builds(
        Debate, rounds=few, personas=st.lists(st.text("ab", min_size=1, max_size=3), min_size=2, max_size=4)
    ),
    st.builds(Debate, rounds=few, colleagues=st.just(("clerk", "writer"))),
    st.builds(Supervisor, rounds=few, calls=st.integers(2, 30), depth=few),
)


def always_the_same(request: ModelRequest) -> str:
    """A model in a loop: the same words for the same kind of call."""
    if request.choices:
        return request.choices[0]
    if request.schema is None:
        return "I go round in circles."
    if "colleague" in str(request.schema):
        role = "clerk" if "clerk" in str(request.schema) else "writer"
        return f'{{"colleague": "{role}", "instruction": "again"}}'
    return '{"tool": "price", "args": {"item": "pen"}}'


@given(way=WAYS, below=WAYS, script=st.sampled_from([never_stops, always_the_same]))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_architecture_exceeds_its_bound(way: Architecture, below: Architecture, script: Any) -> None:
    shop = Shop(architecture=below)
    agent = replace(shop.boss, architecture=way)
    model = ScriptedModel(script)

    async def work() -> str:
        office = Office(None)  # type: ignore[arg-type]  # no database: the run is in memory
        ctx = RunContext(Journal("r-bound", [])).for_task("t")
        return (await way.conclude(office.desk(shop, agent, model, ctx))).text

    text = asyncio.run(work())
    bound = way.most_calls(agent)
    assert bound is not None
    assert 1 <= len(model.requests) <= bound
    assert text


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: React(turns=0),
        lambda: PlanAndSolve(steps=0),
        lambda: Reflection(rounds=0),
        lambda: SelfConsistency(samples=0),
        lambda: TreeOfThoughts(breadth=0),
        lambda: TreeOfThoughts(depth=-1),
        lambda: Debate(rounds=0),
        lambda: Debate(personas=["alone"]),
        lambda: Debate(colleagues=["clerk"]),
        lambda: Supervisor(calls=1),
        lambda: Supervisor(rounds=0),
    ],
)
def test_bounds_that_leave_nothing_to_do_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidCrew, match=r"must be 1 or more|needs two speakers"):
        wrong()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "direct"])
async def test_a_budget_that_is_used_up_ends_the_task_as_what_it_is(name: str, office: Office) -> None:
    case = Case.of(name)
    model = ScriptedModel(case.script)
    with pytest.raises(BudgetExceeded):
        async with office.at_work(case.shop, case.agent, model, budget=Budget(tokens=1)) as desk:
            await case.way.conclude(desk)
    at_once = {"self_consistency": 5, "tree_of_thoughts": 3, "debate": 2}
    assert len(model.requests) <= at_once.get(case.name, 1)


class Slow(ScriptedModel):
    """Never answers, and knows how many calls were ended."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = asyncio.Event()
        self.begun = self.ended = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.begun += 1
        self.under_way.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1
        raise AssertionError("it never answers")


async def test_cancelling_ends_the_calls_under_way(case: Case, office: Office) -> None:
    model = Slow()
    async with office.at_work(case.shop, case.agent, model) as desk:
        work = asyncio.create_task(case.way.conclude(desk))
        await model.under_way.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert model.begun == model.ended >= 1
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_supervisor_without_colleagues_says_so(office: Office) -> None:
    shop = Shop()
    alone = replace(shop.crew, agents=[shop.boss])
    async with office.at_work(shop, shop.boss, ScriptedModel()) as desk:
        with pytest.raises(InvalidCrew, match="'boss' leads nobody: a supervisor needs a colleague"):
            await Supervisor().conclude(replace(desk, crew=alone))


async def test_a_debate_of_somebody_who_is_not_there_says_who_is(office: Office) -> None:
    shop = Shop()
    async with office.at_work(shop, shop.clerk, ScriptedModel()) as desk:
        with pytest.raises(InvalidCrew, match=r"'nobody'; there are: clerk, writer, boss"):
            await Debate(colleagues=["clerk", "nobody"]).conclude(desk)


def test_agents_take_an_architecture_by_its_name_or_made() -> None:
    assert Agent("a", "b", architecture="direct").architecture == "direct"
    assert Agent("a", "b", architecture=Reflection(rounds=3)).architecture == Reflection(rounds=3)


async def test_a_question_to_a_person_suspends_the_task_through_every_graph(office: Office) -> None:
    """A tool that a person must agree to, called by a colleague of a supervisor: the signal passes two graphs."""
    from crewgraph import Crew, tool
    from crewgraph.runtime.errors import Suspended

    @tool(approval=True)
    def price(item: str) -> str:
        """The price of an item."""
        return "12.5"

    boss = Agent("boss", "Lead.", architecture="supervisor")
    shop = Shop()
    crew = Crew([Agent("clerk", "Know prices.", tools=[price]), boss])
    async with office.at_work(shop, boss, ScriptedModel(always_the_same)) as desk:
        with pytest.raises(Suspended):
            await Supervisor().conclude(replace(desk, crew=crew))
