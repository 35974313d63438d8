"""Known recipes come before any search; where none applies, search does it."""

from __future__ import annotations

import pytest

from crewgraph import Crew
from crewgraph.planner.symbolic.recipes import Recipe
from crewgraph.planner.symbolic.search import Found, find
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.planner.symbolic.world import setting
from crewgraph.runtime.errors import InvalidCrew
from crewgraph.tools.planning import Literal

from .depot import world

BRING = Recipe(
    "bring",
    task="at({parcel}, {place})",
    when=("at({parcel}, {from})", "stands({van}, {there})", "not in(books, {van})"),
    steps=(
        "fetch({van}, {from})",
        "load({parcel}, {van}, {from})",
        "fetch({van}, {place})",
        "unload({parcel}, {van}, {place})",
    ),
)
STAY = Recipe("stay", task="fetch({van}, {place})", when=("stands({van}, {place})",))
GO = Recipe(
    "go",
    task="fetch({van}, {place})",
    when=("stands({van}, {from})",),
    steps=("drive({van}, {from}, {place})",),
)


async def planned(
    crew: Crew, solver: Solver, recipes: tuple[Recipe, ...], *goals: str, facts: tuple[str, ...] = ()
) -> Found:
    problem = setting(crew, world(*facts)).aiming([Literal.parse(goal) for goal in goals])
    for recipe in recipes:
        recipe.check(problem.operators, recipes)
    return await find(problem, solver.solve, recipes=recipes)


async def test_a_recipe_is_followed_with_recipes_in_it(depot: Crew, solver: Solver) -> None:
    found = await planned(depot, solver, (BRING, STAY, GO), "at(letters, school)")
    assert found.by == "known recipes"
    assert [str(step) for step in found.plan.steps] == [
        "load(letters, blue van, depot)",
        "drive(blue van, depot, school)",
        "unload(letters, blue van, school)",
    ]


async def test_goals_are_reached_one_after_the_other(depot: Crew, solver: Solver) -> None:
    found = await planned(
        depot, solver, (BRING, STAY, GO), "at(letters, school)", "at(books, harbour)", "at(books, harbour)"
    )
    assert found.by == "known recipes"
    assert len(found.plan.steps) == 7


async def test_another_thing_is_chosen_where_the_first_leads_nowhere(depot: Crew, solver: Solver) -> None:
    here = Recipe("here", BRING.task, BRING.when, ("load({parcel}, {van}, {from})", *BRING.steps[2:]))
    away = ("stands(a far van, school)",)
    crew_world = world(*away)
    problem = setting(
        depot, type(crew_world)({**crew_world.objects, "a far van": "van"}, crew_world.facts)
    ).aiming([Literal.parse("at(letters, school)")])
    found = await find(problem, solver.solve, recipes=(here, STAY, GO))
    assert found.by == "known recipes"
    assert "load(letters, blue van, depot)" in map(str, found.plan.steps)


async def test_a_recipe_that_does_not_apply_leaves_it_to_search(depot: Crew, solver: Solver) -> None:
    for recipes, goals in (
        ((BRING, STAY), ("at(letters, school)",)),
        ((BRING, STAY, GO), ("at(letters, school)", "stands(red van, harbour)")),
    ):
        found = await planned(depot, solver, recipes, *goals)
        assert found.by.startswith("Fast Downward")


async def test_a_recipe_that_misses_the_goal_is_not_believed(depot: Crew, solver: Solver) -> None:
    half = Recipe("half", BRING.task, BRING.when[:2], ("load({parcel}, {van}, {from})",))
    found = await planned(depot, solver, (half,), "at(letters, school)")
    assert found.by.startswith("Fast Downward")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("lode({parcel}, {van}, {from})", r"the tools are: load, unload, drive"),
        ("load({parcel})", r"neither a tool with 1 things"),
        ("load({parcel}, {lorry}, {from})", r"names 'lorry'"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(depot: Crew, step: str, said: str) -> None:
    wrong = Recipe("wrong", BRING.task, BRING.when, (step,))
    with pytest.raises(InvalidCrew, match=said):
        wrong.check(setting(depot, world()).problem.operators, (wrong,))
