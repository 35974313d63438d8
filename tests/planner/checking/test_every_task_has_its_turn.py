"""Conditions make sense, every task can be begun, somebody answers, and nothing happens twice that happens once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crewgraph import Crew, Task

from .plans import answered, call, said, when, words

STOCK = call("s", "stock", place="north")
BALANCE = call("b", "balance")


def only(value: Any, test: str, to: Any = None) -> list[Task]:
    return answered(STOCK, BALANCE, call("x", "label", name="a", more={"when": when(value, test, to)}))


@pytest.mark.parametrize(
    ("value", "test", "to"),
    [
        ("$b.value", "above", 5), ("$s.heaviest.weight", "at_most", "$b.value"), ("$s.place", "equals", "north"),
        ("$s.items", "not_empty", None), ("$s.note", "empty", None), ("$s.place", "one_of", ["north", "south"]),
        ("$s.items", "contains", {"name": "a"}), ("$s.place", "contains", "or"), ("$s.heaviest", "contains", "name"),
        ("$s.place", "above", "a"), ("$b.value", "differs", 3),
    ],
)  # fmt: skip
def test_conditions_that_make_sense_are_let_pass(house: Crew, value: Any, test: str, to: Any) -> None:
    assert said(only(value, test, to), house) == []


@pytest.mark.parametrize(
    ("value", "test", "to", "words_"),
    [
        (
            "$s",
            "above",
            5,
            r"makes no sense \(\$s, which is Stock, above 5\); compare two numbers or two texts",
        ),
        ("$b.value", "above", [1], "makes no sense"),
        ("$s.items", "below", 3, "makes no sense"),
        ("$s.place", "at_least", 3, "makes no sense"),
        ("$b.value", "above", True, "makes no sense"),
        ("$s.heaviest.weight", "equals", "heavy", "makes no sense"),
        ("$s.heaviest.weight", "empty", None, "a number is never empty"),
        ("$s.place", "one_of", "north", "give a list to choose from"),
        ("$s.heaviest.weight", "contains", 3, "makes no sense"),
        (
            "$s.plaice",
            "equals",
            "north",
            "its condition cannot be told: .*no field 'plaice'; did you mean place",
        ),
        (3, "above", 5, r"its condition \(3 above 5\) never holds"),
        (3, "above", "five", "makes no sense"),
    ],
)
def test_conditions_that_make_none_are_named(
    house: Crew, value: Any, test: str, to: Any, words_: str
) -> None:
    found = said(only(value, test, to), house)
    assert any(f.startswith("Task x: ") and re.search(words_, f) for f in found), found


def branch(task_id: str, test: str, to: float = 5) -> Task:
    return words(task_id, "b", when=when("$b.value", test, to))


def test_opposite_branches_answer_together(house: Crew) -> None:
    tasks = [
        BALANCE,
        branch("high", "above"),
        branch("low", "at_most").model_copy(update={"depends_on": ("b", "high")}),
    ]
    assert said(tasks, house) == []


@pytest.mark.parametrize(
    "tests", [("above", "below"), ("above", "above"), ("equals", "above")], ids=lambda tests: " ".join(tests)
)
def test_branches_that_leave_a_case_out_leave_nobody_to_answer(house: Crew, tests: tuple[str, str]) -> None:
    last = branch("last", tests[1]).model_copy(update={"depends_on": ("b", "first")})
    (found,) = said([BALANCE, branch("first", tests[0]), last], house)
    assert found.startswith("Task last: it may be passed over, and then nobody answers")


def test_cases_are_told_apart_by_what_is_compared(house: Crew) -> None:
    last = branch("last", "below", 10).model_copy(update={"depends_on": ("b", "first")})
    assert said([BALANCE, branch("first", "above", 5), last], house) == []
    gap = branch("last", "below", 5).model_copy(update={"depends_on": ("b", "first")})
    assert "nobody answers" in said([BALANCE, branch("first", "above", 10), gap], house)[0]


def test_cases_are_those_that_a_type_has(house: Crew) -> None:
    def on(task_id: str, value: str, test: str, to: Any, *after: str) -> Task:
        return words(task_id, value[1:2], *after, when=when(value, test, to))

    north, south = on("a", "$s.place", "equals", "north"), on("z", "$s.place", "equals", "south", "a")
    assert said([STOCK, north, south], house) == []
    truck = call("t", "book", first=1, last=2)
    assert said([truck, on("a", "$t", "equals", True), on("z", "$t", "equals", False, "a")], house) == []
    count = call("c", "count")
    few = on("a", "$c", "at_most", 5)
    assert said([count, few, on("z", "$c", "at_least", 6, "a")], house) == []
    assert "nobody answers" in said([count, few, on("z", "$c", "at_least", 7, "a")], house)[0]


def test_an_answer_that_only_waits_is_safe(house: Crew) -> None:
    assert said([BALANCE, branch("high", "above"), words("end", "high")], house) == []


def test_an_answer_that_reads_what_may_be_passed_over_is_not(house: Crew) -> None:
    label = call("l", "label", name="a", more={"when": when("$b.value", "above", 5)})
    read = words("end", when=when("$l.value", "not_empty"))
    (found,) = said([BALANCE, label, read], house)
    assert "nobody answers" in found


def test_a_task_that_reads_both_of_two_branches_is_never_begun(house: Crew) -> None:
    high = call("h", "label", name="a", more={"when": when("$b.value", "above", 5)})
    low = call("l", "label", name="b", more={"when": when("$b.value", "at_most", 5)})
    both = call("c", "compare", facts=["$h", "$l"])
    found = said(answered(BALANCE, high, low, both), house)
    assert found[0].startswith("Task c: it can never be begun")
    either = call("c", "label", name="c", after=("h", "l"))
    assert said(answered(BALANCE, high, low, either), house) == []


def test_more_conditions_than_can_be_looked_at_are_let_pass(house: Crew) -> None:
    tasks = [
        call(f"l{n}", "label", name=f"n{n}", more={"when": when("$s.place", "contains", f"{n}")})
        for n in range(40)
    ]
    assert said(answered(STOCK, *tasks), house) == []


def test_the_same_call_of_a_tool_that_acts_once_is_not_made_twice(house: Crew) -> None:
    one, other = call("x", "label", name="a"), call("y", "label", name="a", text="")
    (found,) = said(answered(one, other), house)
    assert found.startswith("Task y: it calls label as x does")
    assert said(answered(one, call("y", "label", name="b")), house) == []
    assert said(answered(call("x", "weigh", names=["a"]), call("y", "weigh", names=["a"])), house) == []


def test_of_two_branches_each_may_make_the_same_call(house: Crew) -> None:
    high = call("h", "label", name="a", more={"when": when("$b.value", "above", 5)})
    low = call("l", "label", name="a", more={"when": when("$b.value", "at_most", 5)})
    assert said(answered(BALANCE, high, low), house) == []
    assert len(said(answered(BALANCE, high, call("l", "label", name="a")), house)) == 1


def test_entries_do_not_make_the_same_call_twice(house: Crew) -> None:
    twice = call("x", "label", name="$item", more={"each": ["a", "b", "a"]})
    assert any('"a" stands twice' in found for found in said(answered(twice), house))
    alike = call("x", "label", name="a", more={"each": ["a", "b"]})
    assert any("with the same arguments for each entry" in found for found in said(answered(alike), house))


def test_an_agent_without_a_tool_sees_no_entries(house: Crew) -> None:
    found = said(answered(words("w", each=["a", "b"])), house)
    assert any("no entry would reach the agent" in one for one in found)


def test_who_answers_stands_last(house: Crew) -> None:
    found = said([words("end", "s"), STOCK], house)
    assert any(one.startswith("Task s: it stands last") for one in found)
