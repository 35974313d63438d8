"""Intervals hold the truth about as often as they say, and depend on nothing but the values."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.serving.evaluating.reporting.resampling import mean_interval, share_interval, sign_test

VALUES = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=30)


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("kind", ["even", "skewed", "flips"])
def test_ninety_five_of_a_hundred_intervals_hold_the_truth(kind: str) -> None:
    luck = random.Random(kind)
    draw, truth = {
        "even": (lambda: luck.gauss(0.3, 1), 0.3),
        "skewed": (lambda: luck.expovariate(1), 1.0),
        "flips": (lambda: luck.choices((-1, 0, 1), (1, 6, 3))[0], 0.2),
    }[kind]
    tries, held = 400, 0
    for _ in range(tries):
        found = mean_interval([draw() for _ in range(60)], resamples=1_000)
        held += found.low <= truth <= found.high
    assert 0.90 <= held / tries <= 0.985  # 400 tries of 0.95: three standard errors are 0.033


def test_shares_hold_the_truth_too() -> None:
    luck = random.Random(5)
    for truth in (0.05, 0.5, 0.9):
        found = [share_interval(sum(luck.random() < truth for _ in range(40)), 40) for _ in range(1_000)]
        held = sum(one.low <= truth <= one.high for one in found)
        assert 0.91 <= held / 1_000 <= 0.99


@settings(max_examples=40, deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_values_does_not_matter(values: list[float], luck: random.Random) -> None:
    turned = list(values)
    luck.shuffle(turned)
    assert mean_interval(values, resamples=400) == mean_interval(turned, resamples=400)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_with_the_versions_exchanged_the_interval_is_turned(values: list[float]) -> None:
    one = mean_interval(values, resamples=400)
    other = mean_interval([-value for value in values], resamples=400)
    assert close(one.mean, -other.mean)
    assert close(one.low, -other.high)
    assert close(one.high, -other.low)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_an_interval_lies_within_the_values_and_about_their_mean(values: list[float]) -> None:
    found = mean_interval(values, resamples=400)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert close(found.mean, math.fsum(values) / len(values))


def test_more_cases_make_a_narrower_interval() -> None:
    luck = random.Random(1)
    many = [luck.random() for _ in range(900)]
    few, all_of_them = mean_interval(many[:100]), mean_interval(many)
    assert all_of_them.high - all_of_them.low < 0.5 * (few.high - few.low)


def test_the_same_values_give_the_same_interval_and_another_seed_nearly() -> None:
    values = [math.sqrt(n) for n in range(30)]
    assert mean_interval(values) == mean_interval(values)
    again = mean_interval(values, seed=1)
    assert again != mean_interval(values)
    assert abs(again.low - mean_interval(values).low) < 0.1


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError):
        mean_interval([])
    with pytest.raises(ValueError):
        share_interval(0, 0)


def test_a_share_of_all_or_none_still_has_an_interval() -> None:
    assert share_interval(20, 20).low < 0.9
    assert share_interval(0, 20).high > 0.1


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_the_same_both_ways_and_1_where_they_are_even(wins: int, losses: int) -> None:
    assert sign_test(wins, losses) == sign_test(losses, wins)
    assert 0 < sign_test(wins, losses) <= 1
    assert sign_test(wins, wins) == 1


def test_the_sign_test_is_exact() -> None:
    assert sign_test(6, 0) == 2 / 64
    assert close(sign_test(8, 2), 2 * (1 + 10 + 45) / 1024)
