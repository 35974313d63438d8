"""A fork keeps what had happened, drops what had not, carries that out once, and leaves the run itself alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

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
from crewgraph.runtime.policy import Retry
from crewgraph.runtime.reading.questions import open_questions

from .conftest import Op, Program, answer_of

NAMES = st.sampled_from(("look", "ask", "write", "post"))
KINDS = st.sampled_from(("read_only", "once", "idempotent", "now", "twice", "handled"))
ALONE = st.builds(Op, KINDS, NAMES)
OPS = st.one_of(
    ALONE,
    st.builds(Op, st.sampled_from(("flaky", "grow")), NAMES),
    st.builds(
        lambda inner: Op("side_by_side", "", tuple(inner)),
        st.lists(ALONE, min_size=2, max_size=3, unique_by=lambda op: op.name),
    ),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Random graphs of tasks that do random things; some are done for each entry of a list, some grow the graph."""
    ids = [f"t{number}" for number in range(draw(st.integers(1, 4)))]
    tasks, ops = [], {}
    for place, task_id in enumerate(ids):
        needs = draw(st.lists(st.sampled_from(ids[:place]), unique=True, max_size=2)) if place else []
        args: dict[str, JsonValue] = {need: f"${need}" for need in needs}
        each: list[JsonValue] | None = draw(st.sampled_from((None, None, None, ["x", "y"])))
        if each:
            args["entry"] = "$item"
        retry = Retry(attempts=2, wait=0)
        tasks.append(Task(id=task_id, description=task_id, args=args, each=each, retry=retry))
        ops[task_id] = tuple(
            draw(st.lists(OPS, max_size=3, unique_by=lambda op: (op.kind == "grow") and op.name))
        )
        ops |= {f"{task_id}-{op.name}": (Op("once", "look"),) for op in ops[task_id] if op.kind == "grow"}
    return Program(TaskGraph(tasks), ops)


Call = tuple[str, str, str]


def begun(events: Sequence[Event], keys: Collection[str] | None = None) -> Counter[Call]:
    """How often steps (with these keys) were begun, as what a program counts as calls."""
    found: Counter[Call] = Counter()
    for event in events:
        if isinstance(event, StepIntended) and (keys is None or event.key in keys):
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
    # An error that was the last thing a task did says nothing of what came of it: that step may be tried again, and a
    # run that went on from there tried it more often than a whole run does.
    where = events if isinstance(events[1], RunForked) else made.events
    failed = begun(events, {event.key for event in where if isinstance(event, StepErred)})
    again = begun(events) - begun(made.events)
    calls = Counter({call: n for call, n in program.calls.items() if call not in failed})
    assert calls == Counter({call: n for call, n in again.items() if call not in failed})
    return made, after


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=40, deadline=None)
@given(programs(), st.data())
def test_a_run_a_fork_of_it_and_one_of_that_replay_with_nothing_carried_out(
    program: Program, data: st.DataObject
) -> None:
    events = asyncio.run(program.recorded())
    for forks in range(3):
        program.calls.clear()
        assert asyncio.run(program.replayed(events)) == answer_of(events)
        assert not program.calls
        at = data.draw(st.sampled_from([f"#{n}" for n in range(2 + forks, len(events) + 2)]))
        events = asyncio.run(program.carried_on(fork_events(events, at, origin="r").events))
