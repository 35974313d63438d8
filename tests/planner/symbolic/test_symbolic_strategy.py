"""The symbolic strategy makes checked plans of tool calls, again the same in a replay, and changes them after failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal as Choice

import pytest

from crewgraph import Agent, Crew, tool
from crewgraph.agents.testing import ForbiddenModel, ScriptedModel
from crewgraph.planner.asked import Asked, SoFar
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.strategy import Strategy
from crewgraph.planner.strategies.symbolic import SymbolicStrategy
from crewgraph.planner.symbolic.solving.request import Reply, Request
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.planner.symbolic.world import World
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.graph import TaskResult
from crewgraph.runtime.store import open_store
from crewgraph.tools.planning import Action, Traits

from .depot import always, load, unload, world


class NoSolver(Solver):
    """Fails the test when it is asked."""

    async def solve(self, request: Request) -> Reply:
        raise AssertionError("the solver was asked")


async def test_a_request_becomes_calls_that_wait_only_for_what_they_need(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    strategy = SymbolicStrategy(always(world()), ForbiddenModel(), solver=solver, least="critical_path")
    assert isinstance(strategy, Strategy)
    plan = await strategy.plan(
        Asked(depot, "Deliver the letters to the harbour and the books to the school."), ctx
    )
    assert plan.strategy == "symbolic"
    assert not wrong(check(plan.tasks, depot))
    assert plan.notes[0] == "Goal, as the request names it: at(letters, harbour), at(books, school)."
    calls = {(t.tool, *t.args.values()): t for t in plan.tasks}
    last = (
        calls["unload", "letters", "red van", "harbour"]
        if ("unload", "letters", "red van", "harbour") in calls
        else (calls["unload", "letters", "blue van", "harbour"])
    )
    assert last.agent == "driver"
    assert last.expected_seconds == 60
    # Two vans go side by side: two chains of three, which meet in the answer.
    assert len(plan.tasks) == 7
    assert len(plan.tasks[-1].needs) == 2
    assert sum(not task.needs for task in plan.tasks) == 2


async def test_a_replay_asks_no_solver_and_makes_the_same_plan(
    depot: Crew, solver: Solver, tmp_path: Path
) -> None:
    asked = Asked(depot, "The letters have to be at the harbour.")
    async with open_store(tmp_path / "runs.db") as store:
        async with await store.create_run("depot", asked.request) as journal:
            first = await SymbolicStrategy(always(world()), solver=solver).plan(asked, RunContext(journal))
            run = journal.run_id
        async with await store.open_run(run) as journal:
            again = await SymbolicStrategy(always(world()), solver=NoSolver()).plan(
                asked, RunContext(journal)
            )
    assert again == first


async def test_a_model_fills_in_goals_where_the_request_names_none(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    written = {"goals": [{"fact": "at", "things": ["books", "school"], "holds": True}]}
    strategy = SymbolicStrategy(always(world()), ScriptedModel([json.dumps(written)]), solver=solver)
    plan = await strategy.plan(Asked(depot, "Our pupils want to read."), ctx)
    assert plan.notes[0] == "Goal, as the model reads the request: at(books, school)."
    assert [task.tool for task in plan.tasks] == ["load", "drive", "unload", None]


async def test_what_no_goal_speaks_of_is_said_or_left_to_the_model(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    asked = Asked(depot, "Deliver the books to the school, and the red van I want back afterwards.")
    plan = await SymbolicStrategy(always(world()), solver=solver).plan(asked, ctx)
    assert plan.notes[0] == (
        "Goal, as the request names it: at(books, school). Nothing was planned for red van: no goal speaks of that."
    )
    both = [
        {"fact": "at", "things": ["books", "school"], "holds": True},
        {"fact": "stands", "things": ["red van", "depot"], "holds": True},
    ]
    model = ScriptedModel([json.dumps({"goals": both})])
    plan = await SymbolicStrategy(always(world()), model, solver=solver).plan(asked, ctx)
    assert plan.notes[0] == "Goal, as the model reads the request: at(books, school), stands(red van, depot)."


async def test_without_a_goal_it_is_said_what_can_be_wished_for(depot: Crew, ctx: RunContext) -> None:
    with pytest.raises(
        InvalidPlan, match=r"names no goal .* one of in, at, stands, of these things: depot, harbour"
    ):
        await SymbolicStrategy(always(world()), solver=NoSolver()).plan(Asked(depot, "Hello?"), ctx)


async def test_a_goal_that_holds_already_needs_no_calls(depot: Crew, ctx: RunContext) -> None:
    told = world(goal=("at(books, depot)",))
    plan = await SymbolicStrategy(always(told), solver=NoSolver()).plan(Asked(depot, "?"), ctx)
    assert [task.id for task in plan.tasks] == ["answer"]
    assert "nothing needs doing" in plan.notes[1]


async def test_after_a_failure_what_is_done_stays_and_the_failed_call_is_not_made_again(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    strategy = SymbolicStrategy(always(world(goal=("at(letters, school)",))), solver=solver)
    asked = Asked(depot, "Bring the letters to the school.")
    first = await strategy.plan(asked, ctx)
    done, failed = first.tasks[0], first.tasks[1]
    assert (done.tool, failed.tool) == ("load", "drive")
    before = SoFar(
        first.tasks, {done.id: TaskResult()}, {failed.id: "The road is closed."}, "The road is closed."
    )
    second = await strategy.plan(Asked(depot, asked.request, so_far=before), ctx)
    assert second.tasks[0] == done
    assert not wrong(check(second.tasks, depot))
    fresh = second.tasks[1:-1]
    assert not {task.id for task in fresh} & {task.id for task in first.tasks}
    assert failed.args not in [task.args for task in fresh if task.tool == "drive"]
    # The other van, which costs one trip; a detour of the first one would cost two.
    assert [task.tool for task in fresh] == ["unload", "load", "drive", "unload"]


async def test_arguments_are_only_things_that_the_tool_takes(solver: Solver, ctx: RunContext) -> None:
    @tool(traits=Traits(action=Action(before=("at({place})",), after=("seen({place})",))))
    def look(place: Choice["north", "south"]) -> str:
        """Look around."""
        return place

    @tool(traits=Traits(action=Action(after=("at({place})",))))
    def go(place: str) -> str:
        """Go somewhere."""
        return place

    crew = Crew([Agent("scout", "Look around.", tools=[look, go])])
    told = World({"north": "", "moon": ""}, (), ("seen(north)",))
    plan = await SymbolicStrategy(always(told), solver=solver).plan(Asked(crew, "?"), ctx)
    assert [(task.tool, task.args) for task in plan.tasks[:-1]] == [
        ("go", {"place": "north"}),
        ("look", {"place": "north"}),
    ]
    told = World({"north": "", "moon": ""}, (), ("seen(moon)",))
    with pytest.raises(InvalidPlan, match=r"seen\(moon\) cannot be reached"):
        await SymbolicStrategy(always(told), solver=solver).plan(Asked(crew, "?"), ctx)


async def test_a_tool_whose_parameters_nothing_binds_is_left_out_and_named(
    solver: Solver, ctx: RunContext
) -> None:
    @tool(traits=Traits(action=Action(after=("told({who})",))))
    def tell(who: str, words: str) -> str:
        """Tell somebody something."""
        return who

    @tool(traits=Traits(action=Action(after=("told({who})",))))
    def wave(who: str, hand: str = "left") -> str:
        """Wave to somebody."""
        return who

    crew = Crew([Agent("host", "Talk.", tools=[tell, wave])])
    plan = await SymbolicStrategy(always(World({"Ann": ""}, (), ("told(Ann)",))), solver=solver).plan(
        Asked(crew, "?"), ctx
    )
    assert plan.tasks[0].tool == "wave"
    assert "tell was left out of the search: nothing says which words it takes." in plan.notes


async def test_the_cheaper_way_is_taken(solver: Solver, ctx: RunContext) -> None:
    @tool(traits=Traits(action=Action(after=("there",)), money=9.0, seconds=1))
    def fly() -> str:
        """Fly there."""
        return ""

    @tool(traits=Traits(action=Action(after=("halfway",)), money=1.0, seconds=50))
    def walk() -> str:
        """Walk half of the way."""
        return ""

    @tool(traits=Traits(action=Action(before=("halfway",), after=("there",)), money=1.0, seconds=50))
    def walk_on() -> str:
        """Walk the rest."""
        return ""

    crew = Crew([Agent("guide", "Go.", tools=[fly, walk, walk_on])])
    told = always(World({}, (), ("there",)))
    plan = await SymbolicStrategy(told, solver=solver).plan(Asked(crew, "?"), ctx)
    assert [task.tool for task in plan.tasks[:-1]] == ["walk", "walk_on"]
    assert plan.notes[1] == "Planned by Fast Downward (A* with LM-cut), proved: none takes less money."
    quick = await SymbolicStrategy(told, solver=solver, least="seconds").plan(Asked(crew, "?"), ctx)
    assert [task.tool for task in quick.tasks[:-1]] == ["fly"]


def test_tools_of_the_depot_say_what_they_do() -> None:
    assert load.traits.action is not None
    assert unload.traits.gives
