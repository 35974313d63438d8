"""Two versions are compared case by case, and a difference is claimed only where there is one to be seen."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.errors import InvalidInput
from crewgraph.serving.evaluating.record import Record, Trial
from crewgraph.serving.evaluating.reporting.comparison import Change, compare
from crewgraph.serving.evaluating.reporting.summary import summarise
from crewgraph.serving.evaluating.reporting.words import flip_lines, pair_lines

from .conftest import Recorded


def change(old: Record, new: Record, name: str = "exact") -> Change:
    found = compare(old, new)
    return next(one for one in (*found.scores, *found.used) if one.name == name)


def test_the_same_version_twice_shows_no_difference(recorded: Recorded) -> None:
    values = {str(n): float(n % 2) for n in range(40)}
    found = compare(recorded(values), recorded(values, name="b"))
    assert all(one.verdict == "no difference shown" for one in (*found.scores, *found.used))
    assert "no difference shown: every interval holds 0, or too few cases differ" in pair_lines(found)
    assert flip_lines(found) == []


def test_a_clear_gain_is_shown_with_the_cases_that_flipped(recorded: Recorded) -> None:
    old = recorded({str(n): float(n < 10) for n in range(40)})
    new = recorded({str(n): float(n < 25 and n != 3) for n in range(40)}, name="b")
    found = change(old, new)
    assert found.verdict == "better"
    assert (found.wins, found.losses, found.ties) == (15, 1, 24)
    assert found.difference.mean == pytest.approx(14 / 40)
    assert found.difference.low > 0
    assert found.flips is not None
    assert (found.flips.both, found.flips.neither, found.flips.lost) == (9, 15, ("3",))
    assert len(found.flips.gained) == 15
    assert found.flips.p == pytest.approx(2 * (1 + 16) / 2**16)
    assert change(new, old).verdict == "worse"


def test_a_few_cases_that_differ_show_nothing(recorded: Recorded) -> None:
    old = recorded({str(n): 0.0 for n in range(5)})
    new = recorded({str(n): 1.0 for n in range(5)}, name="b")
    assert change(old, new).difference.low > 0
    assert change(old, new).verdict == "no difference shown"


def test_where_nothing_is_different_a_difference_is_rarely_claimed(recorded: Recorded) -> None:
    luck = random.Random(8)
    claimed = 0
    for _ in range(120):
        a, b = ({str(n): float(luck.random() < 0.6) for n in range(50)} for _ in range(2))
        claimed += change(recorded(a), recorded(b, name="b")).verdict != "no difference shown"
    assert claimed <= 14  # 0.05 of 120 is 6; three standard errors more are 13.2


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_exchanged_it_is_turned_and_the_order_of_cases_does_not_matter(
    told: list[tuple[bool, bool]], luck: random.Random
) -> None:
    import tempfile
    from pathlib import Path

    def record(side: int, order: list[int]) -> Record:
        from crewgraph.serving.evaluating.record import Heading
        from crewgraph.serving.evaluating.score import Score

        heading = Heading(
            key=str(side), crew="c", crew_file="", crew_hash="", dataset="d", dataset_hash="d",
            cases={str(n): "same" for n in order},
        )  # fmt: skip
        made = Record(Path(tempfile.gettempdir()) / "unwritten.jsonl", heading)
        for n in order:
            value = float(told[n][side])
            score = Score(value=value, passed=value == 1)
            made.trials[str(n), 0] = Trial(case=str(n), ended="finished", scores={"exact": score})
        return made

    straight = list(range(len(told)))
    turned = list(straight)
    luck.shuffle(turned)
    one = change(record(0, straight), record(1, straight))
    back = change(record(1, straight), record(0, straight))
    again = change(record(0, turned), record(1, turned))
    assert one.difference == again.difference
    assert one.difference.low == pytest.approx(-back.difference.high)
    assert (one.wins, one.losses) == (back.losses, back.wins) == (again.wins, again.losses)
    assert one.p == back.p == again.p


def test_cases_that_only_one_has_done_are_left_out_and_said(recorded: Recorded) -> None:
    old, new = recorded({"a": 1.0, "b": 1.0}), recorded({"b": 0.0, "c": 1.0}, name="b")
    found = compare(old, new)
    assert (found.pairs, found.alone_old, found.alone_new) == (1, ("a",), ("c",))
    assert any("only in the old one, and left out: a" in line for line in pair_lines(found))
    old.heading.cases["b"] = "other"
    with pytest.raises(InvalidInput, match="no case in common"):
        compare(old, new)


def test_what_was_used_is_compared_too(recorded: Recorded) -> None:
    luck = random.Random(3)
    values = {str(n): 1.0 for n in range(30)}
    old, new = recorded(values), recorded(values, name="b")
    for key, trial in old.trials.items():
        old.trials[key] = trial.model_copy(
            update={"tokens": 100 + luck.randrange(20), "seconds": 1 + luck.random()}
        )
    for key, trial in new.trials.items():
        new.trials[key] = trial.model_copy(
            update={"tokens": 60 + luck.randrange(20), "seconds": 1 + luck.random()}
        )
    assert change(old, new, "tokens").verdict == "less"
    assert change(new, old, "tokens").verdict == "more"
    assert change(old, new, "seconds").verdict == "no difference shown"


def test_scores_by_different_means_claim_nothing(recorded: Recorded) -> None:
    old, new = (recorded({str(n): v for n in range(30)}, name=str(v), scorer="semantic") for v in (0.2, 0.9))
    for record, by in ((old, "words"), (new, "meaning")):
        for key, trial in record.trials.items():
            score = trial.scores["semantic"].model_copy(update={"by": by})
            record.trials[key] = trial.model_copy(update={"scores": {"semantic": score}})
    found = change(old, new, "semantic")
    assert found.verdict == "no difference shown"
    assert "by words before and by meaning now" in found.note


def test_scores_with_other_options_claim_nothing(recorded: Recorded) -> None:
    old, new = (
        recorded({str(n): 0.0 for n in range(30)}),
        recorded({str(n): 1.0 for n in range(30)}, name="b"),
    )
    assert change(old, new).verdict == "better"
    for key, trial in new.trials.items():
        score = trial.scores["exact"].model_copy(update={"of": "lax"})
        new.trials[key] = trial.model_copy(update={"scores": {"exact": score}})
    assert change(old, new).verdict == "no difference shown"
    assert "other options" in change(old, new).note


def test_several_trials_of_a_case_are_one_case(recorded: Recorded) -> None:
    record = recorded({"a": 1.0, "b": 0.0})
    for attempt, value in ((1, 0.0), (2, 1.0)):
        first = record.trials["a", 0]
        score = first.scores["exact"].model_copy(update={"value": value, "passed": value == 1})
        record.trials["a", attempt] = first.model_copy(
            update={"attempt": attempt, "scores": {"exact": score}}
        )
    found = summarise(list(record.trials.values()))
    assert found.trials == 4
    assert found.figures[0].cases == 2
    assert found.mean_of("exact") == pytest.approx((2 / 3 + 0) / 2)
    assert found.cases[0].passes() is True, "two of three trials passed"
    assert found.mean_of("passed") == 0.5
