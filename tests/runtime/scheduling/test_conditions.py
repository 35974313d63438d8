"""A task is begun only when its condition holds; else it is passed over, with all that read its result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import TaskFailed
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.policy import Condition, Test


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def when(value: Any, test: Test, to: Any = None) -> Condition:
    return Condition(value=value, test=test, to=to)


@pytest.mark.parametrize(
    ("value", "test", "to", "holds"),
    [
        (1, "equals", 1.0, True),
        (True, "equals", 1, False),
        ([{"a": [True]}], "equals", [{"a": [1]}], False),
        ({"a": 1, "b": None}, "equals", {"b": None, "a": 1}, True),
        ("a", "differs", "b", True),
        (None, "equals", None, True),
        (3, "above", 2.5, True),
        (3, "above", 3, False),
        (3, "at_least", 3, True),
        ("2026-02-01", "below", "2026-11-01", True),
        (2, "at_most", 1, False),
        ("the whole text", "contains", "whole", True),
        ([1, 2], "contains", 2.0, True),
        ([1, 2], "contains", True, False),
        ({"name": 1}, "contains", "name", True),
        ("Rome", "one_of", ["Rome", "Oslo"], True),
        (1, "one_of", [True], False),
        ("", "empty", None, True),
        ([], "empty", None, True),
        ({}, "empty", None, True),
        (None, "empty", None, True),
        (0, "empty", None, False),
        (False, "not_empty", None, True),
        ("x", "not_empty", None, True),
    ],
)
def test_how_values_compare(value: Any, test: Test, to: Any, holds: bool) -> None:
    assert when(value, test, to).holds(value, to) is holds


@pytest.mark.parametrize(
    ("value", "test", "to", "said"),
    [
        (
            "ten",
            "above",
            5,
            r"\('ten' above 5\) cannot be told, for 'above' compares two numbers or two texts",
        ),
        (True, "at_most", 5, "compares two numbers or two texts"),
        (None, "below", 1, r"\(None below 1\)"),
        ("abc", "one_of", "abcd", "'one_of' asks for a list to choose from"),
        (5, "contains", 5, "'contains' looks for a text in a text"),
        ("5", "contains", 5, "'contains' looks for a text in a text"),
    ],
)
def test_a_comparison_without_sense_fails_the_task_in_one_sentence(
    trial: Any, value: Any, test: Test, to: Any, said: str
) -> None:
    with pytest.raises(TaskFailed, match=rf"'b' failed, and 1 that need it.*: its condition .*{said}"):
        trial.sitting([task("a"), task("b", when=when(value, test, to)), task("c", "b"), task("d", "a")])
    assert trial.done == ["a", "d"]


json_values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)


@given(one=json_values, other=json_values)
def test_equals_and_differs_are_opposites_and_agree_with_one_of(one: Any, other: Any) -> None:
    same = when(one, "equals", other).holds(one, other)
    assert when(one, "differs", other).holds(one, other) is not same
    assert when(one, "one_of", [other]).holds(one, [other]) is same
    assert when([other], "contains", one).holds([other], one) is same


def test_what_reads_its_result_is_passed_over_and_what_only_waits_goes_on(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        await asyncio.sleep(1)
        return 3 if work.id == "a" else sorted(ctx.results)

    tasks = [
        task("a"),
        task("over", when=when("$a", "above", 5)),
        task("reads", args={"x": "$over"}),
        task("reads_that", args={"x": ["$reads.y"]}),
        task("waits", "over"),
        task("waits_for_reader", "reads", "a"),
        task("asks", when=when("$over", "empty")),
        task("each", each="$over"),
    ]
    results = trial.sitting(tasks, worker)
    assert list(results) == ["a", "waits", "waits_for_reader"]
    assert results["waits"].value == []
    assert results["waits_for_reader"].value == ["a"]
    said = {event.task_id: (event.because, event.reason) for event in trial.of("task_skipped")}
    read = "It reads the result of {!r}, which was passed over."
    assert said == {
        "over": ("Its condition is not met: 3 above 5.", "condition"),
        "reads": (read.format("over"), "condition"),
        "reads_that": (read.format("reads"), "condition"),
        "asks": (read.format("over"), "condition"),
        "each": (read.format("over"), "condition"),
    }


def test_a_condition_that_holds_is_no_different_from_none(trial: Any) -> None:
    tasks = [task("a"), task("b", when=when("$a", "equals", "a")), task("c", args={"x": "$b"})]
    assert list(trial.sitting(tasks)) == ["a", "b", "c"]


def test_a_failure_counts_more_than_a_condition_whichever_comes_first(trial: Any) -> None:
    def worker_with(slow: str) -> Any:
        async def worker(work: Task, ctx: RunContext) -> Any:
            await asyncio.sleep(2 if work.id == slow else 1)
            if work.id == "bad":
                raise ValueError("no")
            return work.id

        return worker

    tasks = [
        task("bad"),
        task("a"),
        task("over", when=when("$a", "empty")),
        task("both", "bad", args={"x": "$over"}),
        task("after", "both"),
    ]
    for slow in ("bad", "a"):
        with pytest.raises(TaskFailed):
            trial.sitting(tasks, worker_with(slow))
        reasons = {event.task_id: event.reason for event in trial.of("task_skipped")}
        assert reasons == {"over": "condition", "both": "failed", "after": "failed"}


def test_a_resume_and_a_replay_go_the_same_way(trial: Any) -> None:
    tasks = [
        task("a"),
        task("over", when=when("$a", "differs", "a")),
        task("b", "over"),
        task("c", args={"x": "$over"}),
    ]
    trial.sitting(tasks)
    live = [(e.kind, e.task_id) for e in trial.events]
    assert list(trial.sitting(tasks)) == ["a", "b"]
    assert trial.done == []
    assert list(trial.replay(tasks)) == ["a", "b"]
    assert [(e.kind, e.task_id) for e in trial.events] == live


def test_a_chain_of_thousands_is_passed_over(trial: Any) -> None:
    tasks = [task("t0", when=when(1, "equals", 2))]
    tasks += [task(f"t{n}", args={"x": f"$t{n - 1}"}) for n in range(1, 3000)]
    assert trial.sitting([*tasks, task("end", "t2999")]) == {"end": TaskResult(value="end")}
