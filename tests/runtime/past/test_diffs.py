"""A diff lays two runs side by side by task and step, says where they part, and what that brought about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.events import (
    Answered,
    Asked,
    Event,
    PlanMade,
    RunErred,
    RunFinished,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
    TasksAdded,
    TaskStarted,
)
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.journalling.steps import base_key
from crewgraph.runtime.past import align as aligning
from crewgraph.runtime.past.account import StepAccount
from crewgraph.runtime.past.align import align, likeness
from crewgraph.runtime.past.diff import RunDiff, StepDiff, TaskDiff, diff

from .conftest import Op, Program, digest
from .test_forks import programs

GRAPH = TaskGraph(
    [
        Task(id="find", description="find", args={"city": "Rome"}),
        Task(id="aside", description="aside"),
        Task(id="sum", description="sum", args={"n": "$find"}),
        Task(id="say", description="say", depends_on=("sum",)),
        Task(id="end", description="end", args={"both": ["$say", "$aside"]}),
    ]
)
LOOK = Op("read_only", "look")
OPS = {task.id: (LOOK,) for task in GRAPH.tasks}


def recorded(program: Program) -> list[Event]:
    return asyncio.run(program.recorded())


def task_of(found: RunDiff, task_id: str) -> TaskDiff:
    return next(task for task in found.tasks if task.id == task_id)


def test_the_step_where_two_runs_part_is_found_and_what_it_got_to() -> None:
    a = recorded(Program(GRAPH, OPS))
    b = recorded(Program(GRAPH, OPS, instead={("find", "look"): "another city"}))
    found = diff(a, b)
    first = found.first
    assert first is not None
    assert (first.what, first.task_id) == ("step", "find")
    assert first.step is not None
    assert (first.step.name, first.step.state, first.step.inputs) == ("look", "changed", "")
    assert first.said == f"output: {digest('look', seen_of(a, 'find'))!r} → 'another city'"
    assert [(reached.task_id, reached.through) for reached in first.reached] == [
        ("sum", "find"),
        ("say", "sum"),
        ("end", "say"),
    ]
    assert all(reached.said.startswith("inputs.seen: ") for reached in first.reached)
    assert first.answer_changed
    assert found.answer.startswith("answer: 'end: ")
    assert {task.id: task.state for task in found.tasks} == {
        "": "same",
        "find": "changed",
        "aside": "same",
        "sum": "changed",
        "say": "changed",
        "end": "changed",
    }
    assert task_of(found, "sum").steps[0].inputs.startswith("inputs.seen: ")


def seen_of(events: Sequence[Event], task_id: str) -> Any:
    event = next(e for e in events if isinstance(e, StepIntended) and e.task_id == task_id)
    assert isinstance(event.inputs, dict)
    return event.inputs["seen"]


def test_a_change_that_made_no_difference_to_its_task_got_nowhere() -> None:
    def run(output: str) -> list[Event]:
        return [
            RunStarted(crew="c", request="r"),
            PlanMade(tasks=tuple(GRAPH.tasks), strategy="crew"),
            StepFinished(task_id="find", name="now", key="k1", output=output),
            TaskFinished(task_id="find", result=TaskResult(value=7)),
            StepFinished(task_id="sum", name="now", key="k2", output=output),
            TaskFinished(task_id="sum", result=TaskResult(value=output)),
            RunFinished(answer="the same"),
        ]

    first = diff(run("x"), run("y")).first
    assert first is not None
    assert first.task_id == "find"
    assert first.reached == ()
    assert not first.answer_changed


def test_costs_are_told_apart_from_changes() -> None:
    def run(tokens: int, seconds: float) -> list[Event]:
        return [
            RunStarted(at=1.0, crew="c", request="r"),
            StepFinished(
                at=2.0, task_id="t", name="ask", key="k", output=1, tokens=tokens, seconds=seconds, money=0.5
            ),
            RunFinished(at=3.0 + seconds, answer="x"),
        ]

    slower = diff(run(5, 1.0), run(5, 9.0))
    assert slower.same
    assert slower.first is None
    assert (slower.a.spent.seconds, slower.b.spent.seconds) == (3.0, 11.0)
    dearer = diff(run(5, 1.0), run(8, 1.0))
    assert not dearer.same
    assert dearer.first is None
    task = task_of(dearer, "t")
    assert (task.state, task.steps[0].state) == ("cost", "cost")
    assert (task.a.tokens, task.b.tokens, task.a.money, task.a.seconds) == (5, 8, 0.5, 1.0)
    assert (dearer.a.spent.tokens, dearer.b.spent.tokens) == (5, 8)


def test_tasks_and_steps_of_one_run_only_are_said_to_be() -> None:
    more = TaskGraph([*GRAPH.tasks, Task(id="extra", description="x", args={"n": "$find"})])
    a = recorded(Program(GRAPH, OPS))
    b = recorded(Program(more, OPS | {"extra": (LOOK,), "find": (LOOK, Op("read_only", "write"))}))
    found = diff(a, b)
    assert task_of(found, "extra").state == "only in B"
    assert found.first is not None
    assert (found.first.what, found.first.task_id) == ("plan", "extra")
    step = task_of(found, "find").steps[0]
    assert (step.name, step.state, step.key_a) == ("write", "only in B", None)
    back = diff(b, a)
    assert task_of(back, "extra").state == "only in A"


def test_another_plan_request_or_code_is_where_runs_part() -> None:
    a = recorded(Program(GRAPH, OPS))
    changed = TaskGraph([GRAPH["find"].model_copy(update={"args": {"city": "Oslo"}}), *GRAPH.tasks[1:]])
    first = diff(a, recorded(Program(changed, OPS))).first
    assert first is not None
    assert (first.what, first.task_id, first.said) == ("plan", "find", "task.args.city: 'Rome' → 'Oslo'")
    assert [reached.task_id for reached in first.reached] == ["sum", "say", "end"]
    asked = [e.model_copy(update={"request": "other"}) if isinstance(e, RunStarted) else e for e in a]
    first = diff(a, asked).first
    assert first is not None
    assert (first.what, first.said) == ("request", "request: 'r' → 'other'")
    coded = [
        e.model_copy(update={"result": TaskResult(value="other")})
        if isinstance(e, TaskFinished) and e.task_id == "say"
        else e
        for e in a
    ]
    first = diff(a, coded).first
    assert first is not None
    assert (first.what, first.task_id) == ("result", "say")
    assert first.said.startswith("result.value: ")


def test_a_failure_an_answer_of_a_person_and_a_missing_end_are_changes() -> None:
    begun: list[Event] = [
        RunStarted(crew="c", request="r"),
        StepIntended(task_id="t", name="s", key="k", inputs={}),
    ]
    gave = [*begun, StepFinished(task_id="t", name="s", key="k", output="yes")]
    failed = [
        *begun,
        StepErred(task_id="t", name="s", key="k", error="no", code="x"),
        RunErred(error="no", code="x"),
    ]
    assert task_of(diff(gave, failed), "t").steps[0].output == "output: 'yes' → 'failed: no'"
    assert diff(gave, failed).ended == "running → failed (no)"
    assert task_of(diff(begun, gave), "t").steps[0].output == "it has no outcome → it has one"
    asked: list[Event] = [RunStarted(crew="c", request="r"), Asked(task_id="t", key="q", question="May I?")]
    for decisions in (("approve", "reject"), ("reject", "approve")):
        one, other = (
            [*asked, Answered.model_validate({"task_id": "t", "key": "q", "answer": {"decision": said}})]
            for said in decisions
        )
        said = task_of(diff(one, other), "t").steps[0].output
        assert said == f"output.decision: {decisions[0]!r} → {decisions[1]!r}"


def test_one_and_true_are_not_the_same_and_not_a_number_is() -> None:
    def run(output: Any) -> list[Event]:
        return [
            RunStarted(crew="c", request="r"),
            StepFinished(task_id="t", name="s", key="k", output=output),
        ]

    assert task_of(diff(run([1]), run([True])), "t").steps[0].output == "output: [1] → [true]"
    assert diff(run(float("nan")), run(float("nan"))).same


def test_a_task_that_was_added_is_reached_by_the_task_that_added_it() -> None:
    def run(found: str, *added: Task) -> list[Event]:
        events: list[Event] = [
            RunStarted(crew="c", request="r"),
            PlanMade(tasks=(Task(id="a", description="a"),), strategy="crew"),
            TaskStarted(task_id="a"),
            StepFinished(task_id="a", name="look", key="k", output=found),
        ]
        return [*events, *([TasksAdded(task_id="a", tasks=added)] if added else [])]

    first = diff(run("none"), run("some", Task(id="more", description="m"))).first
    assert first is not None
    assert (first.what, first.task_id) == ("step", "a")
    assert [(one.task_id, one.through, one.said) for one in first.reached] == [
        ("more", "a", "task 'more' is only in B")
    ]


def mirrored(found: RunDiff) -> RunDiff:
    """A diff as it would be the other way round; sentences are left out, for they read from left to right."""
    swap: Any = {"only in A": "only in B", "only in B": "only in A"}

    def step(one: StepDiff) -> StepDiff:
        state = swap.get(one.state, one.state)
        return replace(one, state=state, key_a=one.key_b, key_b=one.key_a, a=one.b, b=one.a)

    def task(one: TaskDiff) -> TaskDiff:
        state = swap.get(one.state, one.state)
        return replace(one, state=state, steps=tuple(map(step, one.steps)), a=one.b, b=one.a)

    first = found.first
    if first is not None and first.step is not None:
        first = replace(first, step=step(first.step))
    return replace(found, a=found.b, b=found.a, tasks=tuple(map(task, found.tasks)), first=first)


def without_words(found: RunDiff) -> Any:
    def blank(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: blank(part, key) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [blank(part) for part in value]
        if name in ("inputs", "output", "said", "planned", "result", "request", "answer", "ended"):
            return bool(value)
        return value

    sides = found.to_json()
    return {name: sides[name] if name in ("a", "b") else blank(part, name) for name, part in sides.items()}


@settings(max_examples=60, deadline=None)
@given(programs(), programs(), st.data())
def test_a_diff_is_the_same_both_ways_round_and_empty_of_a_run_with_itself(
    one: Program, other: Program, data: st.DataObject
) -> None:
    a = recorded(one)
    assert diff(a, a).same
    again = recorded(one)
    clocks = {e.key for e in again if isinstance(e, StepFinished) and e.name == "now"}
    assert all(step.key_a in clocks for task in diff(a, again).changed() for step in task.steps)
    steps = [(e.task_id, e.name) for e in a if isinstance(e, StepIntended) and e.task_id]
    if steps:
        one.instead[data.draw(st.sampled_from(steps))] = "otherwise"
    for b in (recorded(one), recorded(other)):
        assert without_words(mirrored(diff(a, b))) == without_words(diff(b, a))


def steps_of(inputs: Sequence[Any], name: str = "s") -> list[StepAccount]:
    return [
        StepAccount("t", name, base_key("t", name, one) + (f"-{place}" if place else ""), place, one)
        for place, one in enumerate(inputs)
    ]


def test_steps_with_other_inputs_are_paired_with_those_most_alike() -> None:
    a = steps_of([{"city": "Rome", "year": 1}, {"city": "Oslo", "year": 1}, {"city": "Paris", "year": 1}])
    b = steps_of([{"city": "Oslo", "year": 2}, {"city": "Parish", "year": 1}, {"city": "Rome", "year": 2}])
    pairs = {(pair.a.place, pair.b.place) for pair in align(a, b) if pair.a and pair.b}
    assert pairs == {(0, 2), (1, 0), (2, 1)}
    left = align(a, b[:1])
    assert [(pair.a is None, pair.b is None) for pair in left] == [
        (False, True),
        (False, False),
        (False, True),
    ]
    assert likeness({"a": 1}, {"a": 1}) == 1.0
    assert likeness("abcdef", "abcxef") == likeness("abcxef", "abcdef") == 5 / 6
    assert likeness([], {}) == 0.0


def long_run(count: int, other: bool) -> list[Event]:
    events: list[Event] = [RunStarted(crew="c", request="r")]
    tasks = 100
    plan = [Task(id=f"t{n}", description="d", depends_on=(f"t{n - 1}",) if n else ()) for n in range(tasks)]
    events.append(PlanMade(tasks=tuple(plan), strategy="crew"))
    for n in range(count):
        task_id = f"t{n % tasks}" if n % 2 else "t0"
        inputs: Any = {
            "n": n,
            "words": "and so on " * 20 + ("there" if other else "here"),
            "also": {"deep": [n]},
        }
        key = base_key(task_id, "ask", inputs)
        events.append(StepIntended(task_id=task_id, name="ask", key=key, inputs=inputs))
        events.append(StepFinished(task_id=task_id, name="ask", key=key, output={"said": f"{n} {other}"}))
    return [*events, RunFinished(answer=str(other))]


def test_two_runs_of_ten_thousand_steps_that_all_differ_are_compared_without_weighing_all_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weighed = 0

    def counting(a: Any, b: Any) -> float:
        nonlocal weighed
        weighed += 1
        return likeness(a, b)

    monkeypatch.setattr(aligning, "likeness", counting)
    found = diff(long_run(10_000, False), long_run(10_000, True))
    assert sum(step.state == "changed" for task in found.tasks for step in task.steps) == 10_000
    assert 10_000 < weighed < 1_000_000, (
        "5,000 of them have one name and one task: all pairs would be 25 million"
    )
    json.dumps(found.to_json())
