"""What another strategy proposes is completed, ordered and proved, or refused with the need that nobody meets."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph import Agent, Crew, Task, tool
from crewgraph.planner.asked import Asked
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import ANSWER, Plan, wrong
from crewgraph.planner.strategies.hybrid import HybridStrategy
from crewgraph.planner.strategies.strategy import Strategy
from crewgraph.planner.symbolic.completing import completed
from crewgraph.planner.symbolic.problem import atom
from crewgraph.planner.symbolic.proof import done, met
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.planner.symbolic.world import World, setting
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan, Unreachable
from crewgraph.tools.planning import Action, Traits

from .depot import PLACES, always, world

VANS = ("red van", "blue van")


class Proposes:
    """A strategy that has one plan."""

    def __init__(self, *tasks: Task) -> None:
        self.tasks = tasks

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        return Plan(tasks=self.tasks, strategy="model", notes=("The model planned.",))


def call(task_id: str, tool: str, *args: str, after: tuple[str, ...] = ()) -> Task:
    names = {
        "load": ("parcel", "van", "place"),
        "unload": ("parcel", "van", "place"),
        "drive": ("van", "start", "end"),
        "weather": ("place",),
    }[tool]
    return Task(
        id=task_id,
        description=tool,
        agent="clerk" if tool == "weather" else "driver",
        tool=tool,
        args=dict(zip(names, args, strict=True)),
        depends_on=after,
    )


def end(*after: str) -> Task:
    return Task(id=ANSWER, description="Answer", agent="clerk", depends_on=after)


async def hybrid(
    crew: Crew, solver: Solver, ctx: RunContext, *tasks: Task, told: World | None = None
) -> Plan:
    strategy = HybridStrategy(Proposes(*tasks), always(told or world()), solver=solver)
    assert isinstance(strategy, Strategy)
    plan = await strategy.plan(Asked(crew, "?"), ctx)
    assert not wrong(check(plan.tasks, crew))
    return plan


def lines(plan: Plan) -> list[str]:
    ids = {task.id: f"{task.tool}" for task in plan.tasks}
    return [
        f"{task.tool}({', '.join(map(str, task.args.values()))}) after {[ids[n] for n in task.needs]}"
        for task in plan.tasks
    ]


async def test_what_is_missing_is_added_and_ordered(depot: Crew, solver: Solver, ctx: RunContext) -> None:
    plan = await hybrid(depot, solver, ctx, call("a", "unload", "books", "red van", "school"), end("a"))
    assert lines(plan) == [
        "load(books, red van, depot) after []",
        "drive(red van, depot, school) after ['load']",
        "unload(books, red van, school) after ['drive']",
        "None() after ['unload']",
    ]
    assert plan.strategy == "hybrid:model"
    assert "2 tasks added" in plan.notes[1]
    assert next(task for task in plan.tasks if task.tool == "unload").id == "a"


async def test_tasks_that_could_undo_each_other_are_kept_apart(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    plan = await hybrid(
        depot,
        solver,
        ctx,
        call("a", "load", "books", "red van", "depot"),
        call("b", "drive", "red van", "depot", "school"),
        end("a", "b"),
    )
    assert lines(plan)[:2] == [
        "load(books, red van, depot) after []",
        "drive(red van, depot, school) after ['load']",
    ]


async def test_an_order_in_which_it_cannot_be_done_is_mended_and_said(
    solver: Solver, ctx: RunContext
) -> None:
    @tool(traits=Traits(action=Action(before=("whole",), after=("cracked", "not whole"))))
    def crack() -> str:
        """Crack the egg."""
        return ""

    @tool(traits=Traits(action=Action(before=("whole",), after=("painted",))))
    def paint() -> str:
        """Paint the egg."""
        return ""

    crew = Crew([Agent("cook", "Handle eggs.", tools=[crack, paint])])
    own = (
        Task(id="a", description="crack", agent="cook", tool="crack"),
        Task(id="b", description="paint", agent="cook", tool="paint", depends_on=("a",)),
        Task(id=ANSWER, description="Answer", agent="cook", depends_on=("b",)),
    )
    plan = await hybrid(crew, solver, ctx, *own, told=World({}, ("whole",)))
    assert {task.id: task.needs for task in plan.tasks} == {"b": (), "a": ("b",), "answer": ("b", "a")}
    assert [str(finding) for finding in plan.findings] == [
        "The plan: its order could not be kept (b after a); it was ordered anew."
    ]


async def test_the_authors_goal_is_reached_besides(depot: Crew, solver: Solver, ctx: RunContext) -> None:
    told = world(goal=("stands(red van, harbour)",))
    plan = await hybrid(
        depot, solver, ctx, call("a", "load", "books", "red van", "depot"), end("a"), told=told
    )
    assert lines(plan) == [
        "load(books, red van, depot) after []",
        "drive(red van, depot, harbour) after ['load']",
        "None() after ['load', 'drive']",
    ]


async def test_other_tools_pass_through_as_they_are(depot: Crew, solver: Solver, ctx: RunContext) -> None:
    own = (
        call("w", "weather", "school"),
        call("a", "drive", "red van", "depot", "school", after=("w",)),
        end("a"),
    )
    plan = await hybrid(depot, solver, ctx, *own)
    assert plan.tasks == own


async def test_arguments_that_are_not_known_yet_are_said_to_be_unproved(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    own = (call("w", "weather", "school"), call("a", "load", "$w.text", "red van", "depot"), end("a"))
    plan = await HybridStrategy(Proposes(*own), always(world()), solver=solver).plan(Asked(depot, "?"), ctx)
    assert plan.tasks == own
    assert [(one.task, one.severity) for one in plan.findings] == [("a", "note")]


async def test_a_need_that_nobody_meets_is_named_with_its_task(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    told = World({"books": "parcel", "red van": "van", "depot": "place"}, ("stands(red van, depot)",))
    with pytest.raises(InvalidPlan) as caught:
        await hybrid(depot, solver, ctx, call("a", "load", "books", "red van", "depot"), end("a"), told=told)
    assert str(caught.value) == (
        "No valid plan could be made: Task a: it needs at(books, depot), which nobody gives; "
        "drop it, or give the crew a tool that gives at."
    )


async def test_a_thing_that_is_not_there_is_named_with_its_task(
    depot: Crew, solver: Solver, ctx: RunContext
) -> None:
    with pytest.raises(
        InvalidPlan, match=r"Task a: parcel='boks' is no parcel that is known here \(nearest are: books\)"
    ):
        await hybrid(depot, solver, ctx, call("a", "load", "boks", "red van", "depot"), end("a"))


async def test_a_goal_out_of_reach_is_said_as_such(depot: Crew, solver: Solver, ctx: RunContext) -> None:
    told = world(goal=("sold(books)",))
    with pytest.raises(Unreachable, match="no tool gives sold"):
        await hybrid(depot, solver, ctx, call("a", "load", "books", "red van", "depot"), end("a"), told=told)


MOVES = [
    *(("load", parcel, van, place) for parcel in ("books", "letters") for van in VANS for place in PLACES),
    *(("unload", parcel, van, place) for parcel in ("books", "letters") for van in VANS for place in PLACES),
    *(("drive", van, one, other) for van in VANS for one in PLACES for other in PLACES),
]


@given(
    moves=st.lists(st.sampled_from(MOVES), min_size=1, max_size=3), chance=st.randoms(use_true_random=False)
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_proposed_works_in_every_order_tried_and_nothing_of_it_is_lost(
    depot: Crew, solver: Solver, moves: list[tuple[str, ...]], chance: Random
) -> None:
    base = setting(depot, world())
    own = [call(f"p{n}", *move) for n, move in enumerate(moves)]
    made = completed(
        [*own, end(*(task.id for task in own))], depot, base, solver.solve, engines=("pyperplan",)
    )
    tasks, findings = asyncio.run(made)
    assert not findings
    assert not wrong(check(tasks, depot))
    assert {task.id for task in own} <= {task.id for task in tasks}
    for _ in range(10):
        state = {atom(fact) for fact in base.problem.facts}
        left = {task.id: task for task in tasks}
        while left:
            task = left.pop(
                chance.choice([one for one, task in left.items() if not set(task.needs) & set(left)])
            )
            if (step := base.step_of(task)) is not None:
                assert met(state, step.before)
                state = done(state, step)
