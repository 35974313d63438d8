"""The checker lets no plan through that could not be carried out: one fault in a valid plan is found and named."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crewgraph import Budget, Crew, Task
from crewgraph.planner.checking.checker import MAX_TASKS, check
from crewgraph.planner.plan import Finding, listed

PLAN = (
    Task(id="t1", description="-", agent="clerk", tool="price", args={"item": "pen"}),
    Task(id="t2", description="-", agent="clerk", tool="price", args={"item": "ink"}),
    Task(id="t3", description="-", agent="host", tool="compare", args={"facts": ["$t1", "$t2"]}),
    Task(
        id="t4",
        description="-",
        agent="banker",
        tool="convert_currency",
        args={"amount": "$t1.value", "to": "CNY"},
    ),
    Task(id="t5", description="-", agent="clerk", tool="opening_hours", args={"day": "monday"}),
    Task(id="end", description="-", agent="host", depends_on=("t3", "t4", "t5")),
)


def changed(task_id: str, **fields: Any) -> list[Task]:
    return [t.model_copy(update=fields) if t.id == task_id else t for t in PLAN]


def args(task_id: str, **values: Any) -> list[Task]:
    task = next(t for t in PLAN if t.id == task_id)
    return changed(task_id, args={**task.args, **values})


def test_the_plan_itself_is_valid(shop: Crew) -> None:
    assert check(PLAN, shop) == []
    assert check(PLAN, shop, budget=Budget(tool_calls=5)) == []


@pytest.mark.parametrize(
    ("tasks", "task", "said"),
    [
        (
            changed("t1", agent="butler"),
            "t1",
            "nobody has the role 'butler'.*choose one of clerk, banker, host",
        ),
        (changed("t1", agent=None), "t1", "nobody has the role None"),
        (
            changed("t1", tool="prices"),
            "t1",
            "there is no tool 'prices'; did you mean price\\? Else choose one of opening_hours",
        ),
        (changed("t1", agent="banker"), "t1", "banker may not use price; give it to clerk"),
        (changed("t1", args={}), "t1", "price needs item; give it a value"),
        (changed("t1", tool=None), "t1", "it has arguments and no tool"),
        (args("t1", item="pencil"), "t1", "item='pencil' does not fit price"),
        (args("t1", item=None), "t1", "item=None does not fit"),
        (args("t1", colour="red"), "t1", "price has no parameter 'colour'; choose one of item"),
        (args("t4", amount="much"), "t4", "amount='much' does not fit convert_currency"),
        (args("t4", amount="$t1"), "t4", r"amount takes float, and \$t1 is Fact"),
        (args("t4", amount="$t1.cost"), "t4", r"the result of t1 \(Fact\) has no field 'cost'"),
        (args("t4", amount="$t5.opens"), "t4", r"amount takes float, and \$t5.opens is str"),
        (args("t4", amount="$t1.value.real"), "t4", "has no field 'real'"),
        (args("t4", to="$t5.day"), "t4", r"\$t5.day is str"),
        (args("t3", facts=["$t1", "$t5"]), "t3", r"facts takes Fact, and \$t5 is Hours"),
        (args("t3", facts=["$t1"]), "t3", "facts takes at least 2 values, and has 1"),
        (
            args("t3", facts=["$t1", {"quantity": "mass"}]),
            "t3",
            "facts takes Fact, and not {'quantity': 'mass'}",
        ),
        (args("t3", facts="$t1"), "t3", r"facts takes .*, and \$t1 is Fact"),
        (args("t1", item="$t9"), "t1", "waits for 't9', which is not in the graph"),
        (args("t1", item="$t4.label"), "t1", "wait for each other in a circle"),
        (changed("t1", depends_on=("end",)), "t1", "wait for each other in a circle"),
        (changed("t1", depends_on=("t1",)), "t1", "wait for each other in a circle"),
        (changed("t2", id="t1"), "t1", "Two tasks are called 't1'"),
        (changed("end", depends_on=("t3", "t4")), "t5", "nothing uses its result; let end depend on it"),
        ([], "-", "the plan has no tasks"),
        (
            [Task(id=f"x{n}", description="-", agent="host") for n in range(MAX_TASKS + 1)],
            "-",
            "the plan has 101 tasks; use at most 100",
        ),
    ],
)
def test_one_fault_is_found_and_named(shop: Crew, tasks: list[Task], task: str, said: str) -> None:
    findings = check(tasks, shop)
    assert any(f.task == task and re.search(said, str(f)) for f in findings), findings


def test_more_calls_than_the_budget_allows_are_refused(shop: Crew) -> None:
    (finding,) = check(PLAN, shop, budget=Budget(tool_calls=4))
    assert "it calls tools 5 times, and the budget allows 4" in str(finding)


def test_several_faults_are_said_together(shop: Crew) -> None:
    tasks = [*args("t1", item="pencil")[:1], *changed("t2", agent="butler")[1:]]
    assert {f.task for f in check(tasks, shop)} == {"t1", "t2"}
    both = listed(check(tasks, shop))
    assert "pencil" in both
    assert "butler" in both


def test_a_finding_is_a_sentence() -> None:
    assert str(Finding(task="t1", problem="it is late", mend="hurry")) == "Task t1: it is late; hurry."


@pytest.mark.parametrize("value", ["$$t9", "five"])
def test_a_text_argument_may_hold_any_literal(value: str) -> None:
    from crewgraph import Agent, tool

    @tool
    def say(text: str) -> str:
        """Say a text."""
        return text

    crew = Crew([Agent("a", "A.", tools=[say])])
    tasks = [
        Task(id="t1", description="-", agent="a", tool="say", args={"text": value}),
        Task(id="end", description="-", agent="a", depends_on=("t1",)),
    ]
    assert check(tasks, crew) == []
