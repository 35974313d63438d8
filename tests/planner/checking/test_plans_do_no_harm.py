"""Two calls that may change one thing are never side by side, and risky steps are marked for a person to agree to."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from plans.crews import asked
from plans.written import rich

from crewgraph import Crew, Task, TaskGraph
from crewgraph.planner.checking.checker import check
from crewgraph.planner.checking.securing import Risky, secure
from crewgraph.planner.plan import wrong

from .plans import answered, call, when, words

STOCK = call("s", "stock", place="north")


def needs(tasks: tuple[Task, ...], task_id: str) -> tuple[str, ...]:
    return next(task for task in tasks if task.id == task_id).needs


def test_two_writers_of_one_thing_go_one_after_the_other(house: Crew) -> None:
    one, other = call("x", "label", name="box", text="a"), call("y", "label", name="box", text="b")
    made = secure(answered(one, other), house)
    assert needs(made.tasks, "y") == ("x",)
    (finding,) = made.findings
    assert str(finding) == (
        "Task y: it may use label:box at the same time as x, and one of them changes it; it now waits for x."
    )
    assert finding.severity == "mended"
    assert check(made.tasks, house) == []


def test_writers_of_different_things_stay_side_by_side(house: Crew) -> None:
    tasks = answered(
        call("x", "label", name="box"), call("y", "label", name="bag"), call("z", "enter", amount=1)
    )
    assert secure(tasks, house).tasks == tuple(tasks)


def test_who_writes_and_who_reads_go_in_the_plans_order(house: Crew) -> None:
    first = secure(answered(call("b", "balance"), call("e", "enter", amount=1)), house)
    assert needs(first.tasks, "e") == ("b",)
    then = secure(answered(call("e", "enter", amount=1), call("b", "balance")), house)
    assert needs(then.tasks, "b") == ("e",)


def test_two_readers_stay_side_by_side(house: Crew) -> None:
    tasks = answered(call("x", "balance"), call("y", "balance", month="then"))
    assert secure(tasks, house).tasks == tuple(tasks)


def test_what_is_not_known_yet_may_be_anything(house: Crew) -> None:
    tasks = answered(STOCK, call("x", "label", name="$s.heaviest.name"), call("y", "label", name="box"))
    assert needs(secure(tasks, house).tasks, "y") == ("x",)
    other = answered(STOCK, call("x", "label", name="$s.heaviest.name"), call("e", "enter", amount=1))
    assert secure(other, house).tasks == tuple(other)


def test_what_is_in_an_order_already_stays(house: Crew) -> None:
    one, other = call("x", "label", name="box", after=("y",)), call("y", "label", name="box", text="b")
    tasks = answered(one, other)
    assert secure(tasks, house).tasks == tuple(tasks)


def test_each_entry_counts(house: Crew) -> None:
    each = call("x", "label", name="$item", more={"each": ["box", "bag"]})
    assert needs(secure(answered(each, call("y", "label", name="bag", text="b")), house).tasks, "y") == ("x",)
    apart = answered(each, call("y", "label", name="tin"))
    assert secure(apart, house).tasks == tuple(apart)


def test_entries_that_change_one_thing_side_by_side_are_refused(house: Crew) -> None:
    each = call("x", "enter", amount="$item", more={"each": [1, 2]})
    (finding,) = wrong(secure(answered(each), house).findings)
    assert "its entries use ledger side by side" in str(finding)
    assert "one task for each entry" in finding.mend


def test_doing_it_again_changes_nothing(house: Crew) -> None:
    tasks = answered(*(call(f"x{n}", "enter", amount=n) for n in range(6)))
    once = secure(tasks, house)
    assert [task.depends_on for task in once.tasks[1:6]] == [(f"x{n}",) for n in range(5)]
    again = secure(once.tasks, house)
    assert again == (once.tasks, ())


TEXT = words("w")
RISKY = {
    "text that a model writes": (
        call("x", "send", to="me", text="$w"),
        "its text is text that a model writes",
    ),
    "what a task found": (call("x", "send", to="$s.place", text="hi"), "its to comes from the result of s"),
    "a list nobody has seen": (
        call("x", "send", to="me", text="$item.name", more={"each": "$s.items"}),
        "its text comes from the result of s; it is called for a list that nobody has seen yet",
    ),
    "an unknown place": (
        call("x", "label", name="$s.place"),
        r"what it writes (label:{name}) is not known before",
    ),
    "made up": (call("x", "send", to="boss", text="hello"), "its to stands nowhere in the request"),
}


@pytest.mark.parametrize("name", RISKY)
def test_risky_steps_are_marked_where_that_is_wished_for(house: Crew, name: str) -> None:
    step, why = RISKY[name]
    tasks = answered(STOCK, TEXT, step)
    said = "Write hello to me, with greetings from the north."
    asks = secure(tasks, house, risky="ask", said=said)
    assert [task.id for task in asks.tasks if task.approval] == ["x"]
    (finding,) = asks.findings
    assert why in finding.problem
    assert finding.severity == "mended"
    notes = secure(tasks, house, said=said)
    assert notes.tasks == tuple(tasks)
    assert [f.severity for f in notes.findings] == ["note"]
    assert secure(tasks, house, risky="allow", said=said) == (tuple(tasks), ())


@pytest.mark.parametrize("risky", ["ask", "note"])
def test_what_was_asked_for_in_so_many_words_is_not_risky(house: Crew, risky: Risky) -> None:
    steps = [
        call("x", "send", to="me", text="Good morning"),
        call("e", "enter", amount=12.5),
        call("p", "pay", amount=12.5),
    ]
    tasks = answered(*steps)
    assert secure(tasks, house, risky=risky, said="Enter 12.5, pay it and send me: good  morning!") == (
        tuple(tasks),
        (),
    )
    assert secure(tasks, house, risky=risky) == (tuple(tasks), ())


def test_a_tool_that_asks_itself_is_not_asked_about_twice(house: Crew) -> None:
    tasks = answered(call("b", "balance"), call("p", "pay", amount="$b.value"))
    assert secure(tasks, house, risky="ask") == (tuple(tasks), ())


def test_reading_is_no_risk(house: Crew) -> None:
    tasks = answered(TEXT, call("b", "balance", month="$w"))
    assert secure(tasks, house, risky="ask") == (tuple(tasks), ())


def test_what_the_author_fixed_is_the_authors() -> None:
    from crewgraph import Agent, tool

    @tool
    def read() -> str:
        """Read."""
        return ""

    @tool(effect="once")
    def send(text: str) -> str:
        """Send."""
        return text

    fixed = [
        Task(id="r", description="-", agent="a", tool="read"),
        Task(id="s", description="-", agent="a", tool="send", args={"text": "$r.value"}),
    ]
    crew = Crew([Agent("a", "A.", tools=[read, send])], tasks=fixed)
    assert secure(fixed, crew, risky="ask") == (tuple(fixed), ())
    assert [t.approval for t in secure(fixed, Crew(crew.agents), risky="ask").tasks] == [False, True]


def test_a_condition_keeps_its_place(house: Crew) -> None:
    tasks = answered(
        STOCK,
        call("x", "enter", amount=1, more={"when": when("$s.place", "equals", "north")}),
        call("y", "enter", amount=2),
    )
    assert needs(secure(tasks, house).tasks, "y") == ("x",)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked())
def test_securing_a_plan_keeps_it_valid_and_leaves_no_clash(case) -> None:  # type: ignore[no-untyped-def]  # drawn
    from crewgraph.planner.checking.conflicts import ordered_conflicts

    tasks = rich(case.crew, random.Random(case.seed))
    if wrong(check(tasks, case.crew)):
        return
    made = secure(tasks, case.crew, risky="ask")
    assert wrong(check(made.tasks, case.crew)) == []
    assert [t.id for t in made.tasks] == [t.id for t in tasks]
    TaskGraph(made.tasks)
    _, left = ordered_conflicts(made.tasks, case.crew)
    assert [f for f in left if f.severity == "mended"] == []
