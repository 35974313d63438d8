"""Whatever the plan and whatever fails in it: the next plan is valid, keeps what is done, and plans no failed call again."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewgraph import Crew, Task, TaskGraph
from crewgraph.planner.asked import Asked, SoFar, call_key
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import Plan, wrong
from crewgraph.planner.replanning.replanner import Replanner
from crewgraph.planner.replanning.wiring import dependents
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.graph import TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Condition

from .conftest import LEVELS, Gauges, answer, at

PLACES = sorted(LEVELS)
FAILURES = [
    ("tool_failed", "The tool level failed: OSError: the gauge is broken"),
    ("tool_failed", "The tool level took longer than 3 s"),
    ("surprise", "its result is not what was expected: '' not empty does not hold"),
    ("rejected", "The call was rejected by Ann"),
    ("tool_arguments", "level: place='aba' is not known; did you mean Aba?"),
    ("budget_exceeded", "The task's budget of 3 tokens is used up"),
    ("pressed", "The rest of the plan is thought to take 9 tokens where 3 are left"),
    ("engine_unavailable", "nothing answers"),
    ("task_failed", "its worker gave int and not a TaskResult"),
]


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    """Plans of up to nine tasks of all shapes, and one that answers."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        task_id, facts = f"t{number}", [t.id for t in tasks if t.tool == "level" and t.each is None]
        maps = [t.id for t in tasks if t.tool == "level" and t.each is not None]
        after = (
            tuple(draw(st.lists(st.sampled_from([t.id for t in tasks]), max_size=2, unique=True)))
            if tasks
            else ()
        )
        kind = draw(st.sampled_from(["level", "level", "map", "join", "join", "several", "report", "when"]))
        if kind == "join" and maps and draw(st.booleans()):
            tasks.append(_join(task_id, f"${draw(st.sampled_from(maps))}"))
        elif kind == "join" and len(facts) > 1:
            some = draw(st.lists(st.sampled_from(facts), min_size=2, max_size=4, unique=True))
            tasks.append(_join(task_id, [f"${one}" for one in some]))
        elif kind == "map":
            each = draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=4, unique=True))
            tasks.append(at(task_id, "", args={"place": "$item"}, each=each, depends_on=after))
        elif kind == "several":
            args: dict[str, Any] = {
                "places": draw(st.lists(st.sampled_from(PLACES), min_size=2, unique=True))
            }
            tasks.append(Task(id=task_id, description="levels", agent="gauger", tool="levels", args=args))
        elif kind == "report" and not any(t.tool == "file_report" for t in tasks):
            place: dict[str, Any] = {"place": draw(st.sampled_from(PLACES))}
            tasks.append(
                Task(
                    id=task_id,
                    description="report",
                    agent="gauger",
                    tool="file_report",
                    args=place,
                    depends_on=after,
                )
            )
        else:
            when = (
                Condition(value=f"${facts[0]}.value", test="above", to=1)
                if kind == "when" and facts
                else None
            )
            optional = draw(st.booleans())
            tasks.append(
                at(task_id, draw(st.sampled_from(PLACES)), depends_on=after, when=when, optional=optional)
            )
    needed = {need for task in tasks for need in task.needs}
    return [*tasks, answer(*(task.id for task in tasks if task.id not in needed))]


def _join(task_id: str, facts: Any) -> Task:
    return Task(id=task_id, description="compare", agent="gauger", tool="compare", args={"facts": facts})


@st.composite
def troubles(draw: st.DrawFn) -> tuple[list[Task], SoFar]:
    """A plan, what of it is done, and what has failed."""
    tasks = draw(plans())
    done: dict[str, TaskResult] = {}
    failed: dict[str, tuple[str, str]] = {}
    graph = TaskGraph(tasks)
    for task_id in graph.order:
        if any(need not in done for need in graph.needs(task_id)):
            continue
        fate = draw(st.sampled_from(["done", "done", "failed", "waiting"]))
        if fate == "done":
            done[task_id] = TaskResult(value=None, text=task_id)
        elif fate == "failed":
            failed[task_id] = draw(st.sampled_from(FAILURES))
    so_far = SoFar(
        tuple(tasks),
        done,
        {task_id: why for task_id, (_, why) in failed.items()},
        "something failed",
        {task_id: code for task_id, (code, _) in failed.items()},
        frozenset(call_key(t) for t in draw(st.lists(st.sampled_from(tasks), max_size=2))),
        draw(st.integers(0, 6)),
    )
    return tasks, so_far


def changed(crew: Crew, so_far: SoFar) -> Plan | None:
    asked = Asked(crew, "How high is the water?", so_far=so_far)
    return asyncio.run(Replanner().change(asked, RunContext(Journal("r-1"))))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(troubles(), st.booleans())
def test_a_changed_plan_is_valid_and_keeps_what_is_done(
    trouble: tuple[list[Task], SoFar], stand_in: bool
) -> None:
    tasks, so_far = trouble
    crew = Gauges().crew(stand_in=stand_in)
    if wrong(check(tasks, crew)):
        return
    plan = changed(crew, so_far)
    if not so_far.failures:
        assert plan is None
        return
    if plan is None:
        return
    assert wrong(check(plan.tasks, crew)) == []
    before, after = {t.id: t for t in tasks}, {t.id: t for t in plan.tasks}
    for task_id in so_far.results:
        assert after.get(task_id) == before[task_id], "what is done was changed or lost"
    assert not after.keys() & so_far.failures.keys(), "an id that failed is used again"
    untouched = before.keys() - so_far.failures.keys() - dependents(tasks, so_far.failures)
    for task_id in untouched & after.keys():
        assert after[task_id] == before[task_id], "a task was changed that nothing was wrong with"
    assert untouched <= after.keys(), "a task was dropped that nothing was wrong with"
    fresh = [t for t in plan.tasks if t.id not in before]
    failed = {call_key(before[t]) for t in so_far.failures}
    again = {c for t, c in so_far.codes.items() if c in ("pressed", "tool_failed", "engine_unavailable")}
    for task in fresh:
        if task.tool is not None and call_key(task) in failed | so_far.tried:
            assert again, "a call that failed for good is planned again"
    calls = [call_key(t) for t in plan.tasks if t.tool == "file_report"]
    assert len(calls) == len(set(calls))
    gone = [t for t in before if t not in after and t not in so_far.failures]
    assert not gone or plan.missing, "something is left out without a word"
    assert changed(crew, so_far) == plan, "the same trouble, another plan"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(troubles())
def test_after_the_last_change_things_are_only_given_up(trouble: tuple[list[Task], SoFar]) -> None:
    tasks, so_far = trouble
    crew = Gauges().crew(stand_in=True)
    if so_far.changes < Replanner.limit or wrong(check(tasks, crew)):
        return
    plan = changed(crew, so_far)
    if plan is not None:
        assert {task.tool for task in plan.tasks if task.id not in {t.id for t in tasks}} <= {None}
        assert len(plan.tasks) <= len(tasks)


def test_what_failed_for_one_thing_is_not_asked_again_as_a_part_of_several() -> None:
    """Found by the property above: a call about several things, broken down into one that had failed before."""
    levels = Task(
        id="t1", description="levels", agent="gauger", tool="levels", args={"places": ["Aba", "Bex"]}
    )
    one = Task(id="t0", description="level", agent="gauger", tool="level", args={"place": "Aba"})
    answer = Task(id="answer", description="Answer", agent="writer", depends_on=("t1",))
    why = {"t1": "no such place"}
    crew = Gauges().crew(stand_in=False)
    for tried in (frozenset[str](), frozenset({call_key(one)})):
        so_far = SoFar((levels, answer), {}, why, "t1 failed", {"t1": "tool_arguments"}, tried)
        plan = changed(crew, so_far)
        calls = [call_key(task) for task in plan.tasks] if plan is not None else []
        assert (call_key(one) in calls) is (not tried)
