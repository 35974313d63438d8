"""Tool calls are held against those wanted by mode, and the modes stand to each other as their names say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.serving.evaluating.case import Mode, Trajectory
from crewgraph.serving.evaluating.score import Called, Score
from crewgraph.serving.evaluating.scorers.ways import compare_ways, judge_way

NAMES = st.sampled_from("abc")
WANTED = st.lists(
    st.builds(
        lambda name, args: {"name": name} | ({"args": args} if args else {}),
        NAMES,
        st.none() | st.fixed_dictionaries({"n": st.integers(0, 1)}),
    ),
    min_size=1,
    max_size=5,
)
MADE = st.lists(st.builds(lambda name, n: Called(name, {"n": n}), NAMES, st.integers(0, 1)), max_size=6)


def judged(mode: Mode, wanted: list[Any], made: list[Called]) -> Score:
    return judge_way(Trajectory.model_validate({"mode": mode, "calls": wanted}), made)


@pytest.mark.parametrize(
    ("mode", "wanted", "made", "passes"),
    [
        ("exact", ["a", "b"], "ab", True),
        ("exact", ["a", "b"], "acb", False),
        ("exact", [], "", True),
        ("exact", [], "a", False),
        ("in_order", ["a", "b"], "acb", True),
        ("in_order", ["a", "b"], "ba", False),
        ("in_order", ["a", "a"], "a", False),
        ("any_order", ["a", "b"], "cba", True),
        ("any_order", ["a", "a"], "ab", False),
        ("none", ["a", "b"], "c", True),
        ("none", ["a", "b"], "cb", False),
    ],
)
def test_each_mode_means_what_its_name_says(mode: Mode, wanted: list[str], made: str, passes: bool) -> None:
    assert judged(mode, wanted, [Called(name) for name in made]).passed is passes


def test_arguments_that_are_named_have_to_be_the_same_and_others_may_be_there() -> None:
    made = [Called("price", {"item": "Pen", "shop": 2})]
    assert judged("exact", [{"name": "price", "args": {"item": "pen", "shop": 2.0}}], made).passed
    assert judged("exact", [{"name": "price", "args": {"shop": 2}}], made).passed
    assert not judged("exact", [{"name": "price", "args": {"shop": 3}}], made).passed
    assert not judged("exact", [{"name": "price", "args": {"colour": "red"}}], made).passed


def test_a_call_with_arguments_is_not_taken_by_a_wish_without() -> None:
    made = [Called("a", {"n": 1}), Called("a", {"n": 2})]
    assert judged("any_order", ["a", {"name": "a", "args": {"n": 1}}], made).passed


def test_what_was_called_is_said_where_it_is_wrong() -> None:
    found = judged("in_order", [{"name": "a", "args": {"n": 1}}], [Called("b", {"n": 3})])
    assert "precision 0.00, recall 0.00" in found.why
    assert "b(n=3)" in found.why


@given(WANTED, MADE)
def test_a_stricter_mode_passes_only_where_a_laxer_one_does(wanted: list[Any], made: list[Called]) -> None:
    exact, in_order, any_order, none = (
        judged(mode, wanted, made) for mode in ("exact", "in_order", "any_order", "none")
    )
    assert all(0 <= s.value <= 1 for s in (exact, in_order, any_order, none) if s.value is not None)
    assert in_order.passed or not exact.passed
    assert any_order.passed or not in_order.passed
    assert not (none.passed and any_order.passed)


@given(WANTED, MADE, MADE, MADE)
def test_further_calls_between_never_take_anything_away(
    wanted: list[Any], made: list[Called], before: list[Called], behind: list[Called]
) -> None:
    for mode in ("in_order", "any_order"):
        less, more = judged(mode, wanted, made).value, judged(mode, wanted, [*before, *made, *behind]).value
        assert less is not None
        assert more is not None
        assert more >= less


@given(WANTED, st.lists(NAMES, max_size=6), st.randoms(use_true_random=False))
def test_any_order_is_any_order(wanted: list[Any], names: list[str], luck: Any) -> None:
    made = [Called(name, {"n": 0}) for name in names]
    turned = list(made)
    luck.shuffle(turned)
    assert judged("any_order", wanted, made).value == judged("any_order", wanted, turned).value


@given(WANTED, MADE)
def test_precision_recall_and_order_are_parts_and_the_ordered_are_among_the_found(
    wanted: list[Any], made: list[Called]
) -> None:
    match = compare_ways(Trajectory.model_validate({"calls": wanted}).calls, made)
    assert 0 <= match.ordered <= match.found <= min(match.wanted, match.called)
    assert all(0 <= part <= 1 for part in (match.precision, match.recall, match.order))


@given(WANTED)
def test_the_wanted_calls_themselves_pass_exactly(wanted: list[Any]) -> None:
    made = [Called(one["name"], one.get("args")) for one in wanted]
    assert judged("exact", wanted, made).passed
