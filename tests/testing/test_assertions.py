"""Assertions on runs: they hold where they should, and where they do not they show what there was instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import Crew
from crewgraph.testing import (
    CrewHouse,
    Trace,
    called,
    called_in_order,
    cost_below,
    freeze,
    frozen_events,
    no_model_called,
    not_called,
    plan_has,
    plan_of,
)


@pytest.fixture
async def trace(house: CrewHouse, fixed: Crew) -> Trace:
    return (await house.ask(fixed, "What is there?")).trace


def test_calls_are_found_with_their_arguments_and_in_their_order(trace: Trace) -> None:
    assert [(c.tool, c.args["item"], c.task) for c in trace.calls] == [
        ("price", "pen", "a"), ("price", "ink", "b"), ("stock", "pen", "c"),
    ]  # fmt: skip
    assert len(called(trace, "price")) == 2
    assert called(trace, "price", {"item": "ink"}, times=1)[0].task == "b"
    called_in_order(trace, "price", "stock")
    called_in_order(trace, "price", "price", "stock")
    not_called(trace, "order")
    not_called(trace, "stock", {"item": "ink"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda t: called(t, "order"),
            r"order\(\) was to be called at least once, and was called 0 times.*item='pen'",
        ),
        (lambda t: called(t, "price", times=1), "1 times, and was called 2 times"),
        (lambda t: called(t, "price", {"item": "tea"}), r"price\(item='tea'\) was to be called"),
        (lambda t: not_called(t, "stock"), "was called 1 times"),
        (lambda t: called_in_order(t, "stock", "price"), "price was to be called after stock"),
        (lambda t: called_in_order(t, "order"), "order was to be called first of these"),
        (lambda t: plan_has(t, "order"), r"no task of the plan calls order\(\); its tasks are: a: price"),
        (lambda t: plan_has(t, "price", after="stock"), "and waits for stock"),
        (lambda t: plan_has(t, agent="poet"), "is poet's"),
        (lambda t: cost_below(t, tool_calls=3), "used 3 tool calls, and was to use less than 3"),
        (lambda t: plan_of(t[:1]), "no plan was made"),
    ],
)
def test_what_does_not_hold_shows_what_there_was(trace: Trace, wrong: object, said: str) -> None:
    assert callable(wrong)
    with pytest.raises(AssertionError, match=said):
        wrong(trace)


def test_plans_and_costs(trace: Trace) -> None:
    assert [task.id for task in plan_of(trace)] == ["a", "b", "c"]
    assert plan_has(trace, "stock", {"item": "pen"}, after="a").id == "c"
    assert plan_has(trace, "stock", after="price").id == "c"
    no_model_called(trace)
    cost_below(trace, tokens=1, tool_calls=4, money=0.01, model_calls=1)


async def test_a_model_call_is_told_with_its_task(house: CrewHouse, writers: Crew) -> None:
    told = await house.ask(writers, "Write about water.", lambda _: "Water is wet.")
    with pytest.raises(AssertionError, match="a model was called, first for the task 'a'"):
        no_model_called(told.trace)
    with pytest.raises(AssertionError, match="model calls, and was to use less than 2"):
        cost_below(told.trace, model_calls=2)


async def test_the_same_holds_of_a_frozen_run(house: CrewHouse, fixed: Crew, tmp_path: Path) -> None:
    told = await house.ask(fixed, "What is there?")
    async with house.open(told.model) as opened:
        await freeze(opened.store, told.outcome.run_id, tmp_path / "run.jsonl")
    events = frozen_events(tmp_path / "run.jsonl")
    called_in_order(events, "price", "stock")
    plan_has(events, "stock", after="b")
    no_model_called(events)


async def test_without_a_script_no_model_may_be_called(house: CrewHouse, writers: Crew) -> None:
    with pytest.raises(AssertionError, match="a model was called"):
        await house.ask(writers, "Write about water.")
