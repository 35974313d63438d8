"""Where the rest of a plan would not fit the budget, the run goes on with a cheaper one instead of being cut off."""

from __future__ import annotations

from crewgraph import Budget, Task
from crewgraph.planner.plan import TaskEstimate
from crewgraph.planner.replanning.pressure import Amounts, pressed
from crewgraph.runtime.errors import BudgetExceeded
from crewgraph.runtime.events import TaskErred

from .conftest import Gauges, Runs, answer, at

CALL = TaskEstimate(tool_calls=1, measured=5)
WRITING = TaskEstimate(tokens=10, measured=5)


def costs(*tasks: Task) -> dict[str, TaskEstimate]:
    return {task.id: CALL if task.tool else WRITING for task in tasks}


async def test_what_is_optional_goes_first_and_the_answer_says_so(gauges: Gauges, runs: Runs) -> None:
    tasks = [
        at("t1", "Aba"),
        at("t2", "Bex", depends_on=("t1",), optional=True),
        at("t3", "Cam", depends_on=("t1",)),
        answer("t1", "t2", "t3"),
    ]
    came = await runs.run(gauges.crew(), tasks, budget=Budget(tool_calls=2), estimates=costs(*tasks))
    assert gauges.done == {("level", "Aba"): 1, ("level", "Cam"): 1}
    assert "75" in came.answer
    assert came.missing == ("level: Bex (what is left of the budget does not reach for it).",)
    assert len(came.plans) == 2
    assert "tool calls" in came.plans[-1].reason


async def test_what_is_done_is_kept_and_what_was_not_begun_gets_another_id(
    gauges: Gauges, runs: Runs
) -> None:
    tasks = [
        at("t1", "Aba"),
        at("t2", "Bex", depends_on=("t1",)),
        at("t3", "Cam", depends_on=("t2",)),
        answer("t3"),
    ]
    thought = {**costs(*tasks), "t3": TaskEstimate(tool_calls=9, measured=5)}
    came = await runs.run(gauges.crew(), tasks, budget=Budget(tool_calls=3), estimates=thought)
    assert gauges.done["level", "Aba"] == 1
    assert max(gauges.done.values()) == 1
    assert not gauges.calls["level", "Cam"]
    erred = {event.task_id for event in came.events if isinstance(event, TaskErred)}
    assert erred
    assert not erred & {task.id for task in came.plans[-1].tasks}


async def test_where_nothing_can_be_left_out_the_hard_limit_decides(gauges: Gauges, runs: Runs) -> None:
    tasks = [at("t1", "Aba"), at("t2", "Bex", depends_on=("t1",)), answer("t1", "t2")]
    estimates = {**costs(*tasks), "answer": TaskEstimate(tokens=10**6, measured=5)}
    came = await runs.run(gauges.crew(), tasks, budget=Budget(tokens=100), estimates=estimates)
    assert len(came.plans) == 1
    assert "340" in came.answer


async def test_hard_limits_stay_as_they_are(gauges: Gauges, runs: Runs) -> None:
    tasks = [at("t1", "Aba"), at("t2", "Bex", depends_on=("t1",)), answer("t1", "t2")]
    came = await runs.run(gauges.crew(), tasks, budget=Budget(tool_calls=1), estimates={})
    assert came.error is None or isinstance(came.error, BudgetExceeded)
    assert sum(gauges.calls.values()) <= 1


def test_a_guess_gives_up_nothing_that_was_asked_for() -> None:
    crew = Gauges().crew()
    tasks = [at("t1", "Aba"), at("t2", "Bex"), at("t3", "Cam", optional=True), answer("t1", "t2", "t3")]
    guessed = {task.id: TaskEstimate(seconds=60.0) for task in tasks}
    left = pressed(tasks, guessed, (), Amounts(seconds=30.0), crew)
    assert left is not None
    assert [task.id for task in left.tasks] == ["t1", "t2", "answer"]
    measured = {task.id: TaskEstimate(seconds=60.0, measured=3) for task in tasks}
    left = pressed(tasks, measured, ("t1",), Amounts(seconds=70.0), crew)
    assert left is not None
    assert [task.id for task in left.tasks] == ["t1", "answer"]


def test_what_fits_is_not_touched() -> None:
    crew = Gauges().crew()
    tasks = [at("t1", "Aba"), at("t2", "Bex", optional=True), answer("t1", "t2")]
    assert pressed(tasks, costs(*tasks), (), Amounts(tool_calls=2, tokens=10), crew) is None
    assert pressed(tasks, costs(*tasks), (), Amounts(), crew) is None


def test_side_by_side_takes_as_long_as_the_longest() -> None:
    crew = Gauges().crew()
    tasks = [at("t1", "Aba"), at("t2", "Bex"), answer("t1", "t2")]
    slow = {task.id: TaskEstimate(seconds=10.0, measured=3) for task in tasks}
    assert pressed(tasks, slow, (), Amounts(seconds=20.0), crew) is None
    assert pressed(tasks, slow, (), Amounts(seconds=19.0), crew) is None, "leaving one out would save nothing"


def test_a_branch_goes_with_all_that_only_it_needs() -> None:
    crew = Gauges().crew()
    tasks = [
        at("t1", "Aba"),
        at("t2", "Bex"),
        at("t3", "Cam"),
        Task(id="t4", description="compare", agent="gauger", tool="compare", args={"facts": ["$t2", "$t3"]}),
        answer("t1", "t4"),
    ]
    left = pressed(tasks, costs(*tasks), (), Amounts(tool_calls=1), crew)
    assert left is not None
    assert [task.id for task in left.tasks] == ["t1", "answer"]
