"""What cannot be is refused in a sentence that names it and what comes nearest."""

from __future__ import annotations

import pytest

from crewgraph import Crew
from crewgraph.planner.symbolic.search import find
from crewgraph.planner.symbolic.solving.request import Reply, Request
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.planner.symbolic.world import setting
from crewgraph.runtime.errors import CrewgraphError, InvalidPlan, Unreachable
from crewgraph.tools.planning import Literal

from .depot import world


async def nobody(request: Request) -> Reply:
    raise AssertionError("a solver was asked")


async def refused(crew: Crew, *goals: str, solver: Solver | None = None) -> CrewgraphError:
    problem = setting(crew, world()).aiming([Literal.parse(goal) for goal in goals])
    with pytest.raises(CrewgraphError) as caught:
        await find(problem, solver.solve if solver is not None else nobody)
    return caught.value


async def test_a_goal_that_no_tool_gives(depot: Crew) -> None:
    error = await refused(depot, "painted(letters)")
    assert isinstance(error, Unreachable)
    assert str(error).startswith("cannot: no tool gives painted(letters); nearest are ")
    assert "load (gives " in str(error)


async def test_the_nearest_tool_is_the_one_that_gives_a_fact_of_that_name(depot: Crew) -> None:
    error = await refused(depot, "at(red van, harbour)")
    assert str(error).startswith(
        "cannot: no tool gives at(red van, harbour); nearest are unload (gives at({parcel}, {place}), not in("
    )


async def test_a_goal_and_its_opposite(depot: Crew) -> None:
    error = await refused(depot, "at(letters, school)", "not at(letters, school)")
    assert isinstance(error, Unreachable)
    assert str(error) == (
        "cannot: the goals at(letters, school) and not at(letters, school) exclude each other; drop one of them."
    )


async def test_a_thing_that_is_not_there(depot: Crew) -> None:
    error = await refused(depot, "at(leters, school)")
    assert isinstance(error, InvalidPlan)
    assert str(error) == (
        "The goal at(leters, school) names 'leters', which is nothing that is known here; nearest are: letters."
    )


async def test_goals_that_exclude_each_other_are_named_as_a_pair(depot: Crew, solver: Solver) -> None:
    error = await refused(
        depot, "at(books, depot)", "at(letters, school)", "at(letters, harbour)", solver=solver
    )
    assert isinstance(error, Unreachable)
    assert str(error) == (
        "cannot: the goals at(letters, school) and at(letters, harbour) can each be reached alone, and not together; "
        "drop one of them."
    )


async def test_a_need_that_no_tool_meets_is_named(depot: Crew) -> None:
    base = setting(depot, world()).problem
    unload = base.operator("unload")
    assert unload is not None
    signed = type(unload)(
        "hand_over",
        ("parcel",),
        (Literal.parse("signed({parcel})"),),
        (Literal.parse("delivered({parcel})"),),
        {"parcel": "parcel"},
    )
    problem = type(base)(
        (*base.operators, signed), base.objects, base.facts, (Literal.parse("delivered(books)"),)
    )
    with pytest.raises(
        Unreachable, match=r"no tool gives signed\({parcel}\), which hand_over needs to give delivered"
    ):
        await find(problem, nobody)


async def test_a_goal_that_the_facts_do_not_allow(depot: Crew, solver: Solver) -> None:
    base = setting(depot, world()).problem
    facts = tuple(one for one in base.facts if one.name != "stands")
    nowhere = Literal.parse("stands(red van, depot)")
    problem = type(base)(
        base.operators, base.objects, (*facts, nowhere), (Literal.parse("in(books, blue van)"),)
    )
    with pytest.raises(
        Unreachable, match=r"in\(books, blue van\) cannot be reached from the facts as they are; load"
    ):
        await find(problem, solver.solve)
