"""A fork keeps what had happened, drops what had not, carries that out once, and leaves the run itself alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.runtime.events import (
    Event,
    RunForked,
    RunStarted,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
)
from crewgraph.runtime.graph import Task, TaskGraph
from crewgraph.runtime.past.fork import Fork, fork_events
from crewgraph.runtime.questions import open_questions

from .conftest import Op, Program, answer_of

NAMES = st.sampled_from(("look", "ask", "write", "post"))
ALONE = st.builds(Op, st.sampled_from(("read_only", "once", "idempotent", "now", "twice", "handled")), NAMES)
OPS = st.one_of(
    ALONE,
    st.builds(
        lambda inner: Op("side_by_side", "", tuple(inner)),
        st.lists(ALONE, min_size=2, max_size=3, unique_by=lambda op: op.name),
    ),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    ids = [f"t{number}" for number in range(draw(st.integers(1, 5)))]
    tasks, ops = [], {}
    for place, task_id in enumerate(ids):
        needs = draw(st.lists(st.sampled_from(ids[:place]), unique=True, max_size=2)) if place else []
        tasks.append(Task(id=task_id, description=task_id, args={need: f"${need}" for need in needs}))
        ops[task_id] = tuple(draw(st.lists(OPS, max_size=3)))
    return Program(TaskGraph(tasks), ops)


def live_calls(events: Sequence[Event], keys: Sequence[str]) -> Counter[tuple[str, str, str]]:
    """What carrying out the steps with these keys comes to; readings of the clock are no calls."""
    found: Counter[tuple[str, str, str]] = Counter()
    begun = {event.key: event for event in events if isinstance(event, StepIntended)}
    for key in keys:
        if (event := begun.get(key)) is not None:
            inputs = event.inputs if isinstance(event.inputs, dict) else {}
            found[event.task_id, event.name, str(inputs.get("seen", ""))] += 1
    return found


def check(program: Program, events: list[Event], at: str) -> tuple[Fork, list[Event]]:
    made = fork_events(events, at, origin="r")
    assert made.in_doubt == ()
    assert open_questions(made.events) == []
    assert isinstance(made.events[0], RunStarted)
    assert isinstance(made.events[1], RunForked)
    program.calls.clear()
    after = asyncio.run(program.carried_on(made.events))
    assert answer_of(after) == answer_of(events)
    results = [
        {event.task_id: event.result for event in some if isinstance(event, TaskFinished)}
        for some in (events, after)
    ]
    assert results[0] == results[1]
    # A step that failed last of all its task's steps may be tried again; every other kept one is read back.
    failed = {event.key for event in made.events if isinstance(event, StepErred)}
    again = live_calls(events, made.dropped)
    assert {call: n for call, n in program.calls.items() if call not in live_calls(events, [*failed])} == {
        call: n for call, n in again.items() if call not in live_calls(events, [*failed])
    }
    return made, after


@settings(max_examples=60, deadline=None)
@given(programs())
def test_a_fork_at_any_step_comes_to_the_same_and_carries_out_only_what_it_dropped(program: Program) -> None:
    events = asyncio.run(program.recorded())
    steps = {
        event.key: seq
        for seq, event in enumerate(events, 1)
        if isinstance(event, StepIntended | StepFinished)
    }
    for key in steps:
        made, _ = check(program, events, key)
        assert key in made.dropped


@settings(max_examples=25, deadline=None)
@given(programs(), st.data())
def test_a_fork_at_any_event_or_task_and_a_fork_of_that_do_too(program: Program, data: st.DataObject) -> None:
    events = asyncio.run(program.recorded())
    points = [
        "plan",
        *(task.id for task in program.graph.tasks),
        *(f"#{n}" for n in range(2, len(events) + 2)),
    ]
    _, after = check(program, events, data.draw(st.sampled_from(points)))
    again = [f"#{n}" for n in range(3, len(after) + 2)]
    _, last = check(program, after, data.draw(st.sampled_from(again)))
    assert sum(isinstance(event, RunForked) for event in last) == 2
