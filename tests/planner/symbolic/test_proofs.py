"""A plan is proved exactly when it works in every order that its edges allow, and loosening keeps it so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import permutations
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crewgraph.planner.symbolic.order import loosened, trimmed
from crewgraph.planner.symbolic.problem import Operator, Problem, Step
from crewgraph.planner.symbolic.proof import gaps, proved
from crewgraph.tools.planning import Literal

FACTS = "abcd"
literals = st.builds(Literal, st.sampled_from(FACTS), st.just(()), st.booleans())
operators = st.builds(
    lambda before, after: Operator("op", (), tuple(before), tuple(after)),
    st.lists(literals, max_size=2, unique_by=lambda one: one.name),
    st.lists(literals, min_size=1, max_size=3),
)


def works(facts: Collection[str], steps: Sequence[Step], goal: Sequence[Literal]) -> bool:
    """Written anew here: does the plan, done in this order, work?"""
    state = set(facts)
    for step in steps:
        if any((one.name in state) is not one.holds for one in step.before):
            return False
        for one in step.after:
            (state.add if one.holds else state.discard)(one.name)
    return all((one.name in state) is one.holds for one in goal)


def orders(needs: Sequence[Collection[int]]) -> Iterator[tuple[int, ...]]:
    for order in permutations(range(len(needs))):
        place = {step: n for n, step in enumerate(order)}
        if all(place[one] < place[step] for step, own in enumerate(needs) for one in own):
            yield order


@given(
    st.sets(st.sampled_from(FACTS)),
    st.lists(operators, min_size=1, max_size=5),
    st.lists(literals, max_size=2, unique_by=lambda one: one.name),
    st.data(),
)
@settings(max_examples=400, deadline=None)
def test_gaps_are_found_exactly_where_some_order_fails(
    facts: set[str], ops: list[Operator], goal: list[Literal], data: st.DataObject
) -> None:
    steps = [one.step(()) for one in ops]
    needs = [
        data.draw(st.sets(st.integers(0, place - 1), max_size=2)) if place else set()
        for place in range(len(steps))
    ]
    held = [Literal(name) for name in facts]
    every = all(works(facts, [steps[n] for n in order], goal) for order in orders(needs))
    assert (not gaps(held, steps, needs, goal)) == every


def walk(
    facts: set[str], ops: Sequence[Operator], length: int, chance: Random
) -> tuple[list[Step], set[str]]:
    """Some steps that can be done one after the other, and what holds in the end."""
    state, steps = set(facts), list[Step]()
    for _ in range(length):
        able = [s for one in ops if works(state, [s := one.step(())], ()) and s.after]
        if not able:
            break
        step = chance.choice(able)
        steps.append(step)
        for one in step.after:
            (state.add if one.holds else state.discard)(one.name)
    return steps, state


@given(
    st.sets(st.sampled_from(FACTS)),
    st.lists(operators, min_size=2, max_size=6),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=400, deadline=None)
def test_loosened_plans_work_in_every_order(
    facts: set[str], ops: list[Operator], length: int, chance: Random
) -> None:
    steps, end = walk(facts, ops, length, chance)
    assume(steps)
    goal = [Literal(name, (), name in end) for name in chance.sample(FACTS, 2)]
    held = [Literal(name) for name in facts]
    kept = trimmed(held, steps, goal)
    plan = loosened(held, kept, goal)
    for order in orders(plan.needs):
        assert works(facts, [plan.steps[n] for n in order], goal)


def test_independent_steps_wait_for_nothing() -> None:
    give = [Operator(f"give{n}", (), (), (Literal(f"fact{n}"),)).step(()) for n in range(3)]
    plan = loosened((), give, [Literal(f"fact{n}") for n in range(3)])
    assert plan.needs == (frozenset(), frozenset(), frozenset())


def test_a_step_waits_for_who_gives_and_keeps_away_who_ends() -> None:
    door = Literal("open")
    steps = [
        Operator("unlock", (), (), (door,)).step(()),
        Operator("enter", (), (door,), (Literal("inside"),)).step(()),
        Operator("lock", (), (door,), (Literal("open", (), False), Literal("safe"))).step(()),
    ]
    plan = loosened((), steps, [Literal("inside"), Literal("safe")])
    assert plan.needs == (frozenset(), frozenset({0}), frozenset({1}))
    broken = gaps((), steps, [set(), {0}, {0}], [Literal("inside")])
    assert [gap.sentence(steps) for gap in broken] == [
        "enter() (step 2) needs open, which lock() (step 3) may end before"
    ]


def test_what_the_goal_is_reached_without_is_left_out() -> None:
    steps = [
        Operator(name, (), (), (Literal(fact),)).step(())
        for name, fact in (("paint", "red"), ("wash", "clean"))
    ]
    assert [step.name for step in trimmed((), steps, [Literal("clean")])] == ["wash"]


def test_steps_that_are_nobodys_are_refused() -> None:
    go = Operator("go", ("to",), (), (Literal("at", ("{to}",)),), {"to": "place"})
    problem = Problem((go,), {"here": "place", "box": "thing"}, (), (Literal("at", ("box",)),))
    assert proved(problem, [go.step(["box"])], [set()]) == [
        "go(box) (step 1) is nothing that can be done here"
    ]
