"""What a reference points to is known before anything runs: it exists, and it is of the type that is wanted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crewgraph import Crew, Task

from .plans import answered, call, said, when, words

GOOD: dict[str, list[Task]] = {
    "a field of a field": answered(call("s", "stock", place="north"), call("e", "enter", amount="$s.heaviest.weight")),
    "a model where the same model is wanted": answered(
        call("s", "stock", place="north"), call("p", "pack", item="$s.heaviest")
    ),
    "a model with references in it": answered(
        call("b", "balance"), call("p", "pack", item={"name": "pen", "weight": "$b.value", "size": "large"})
    ),
    "an enumeration where it is wanted": answered(
        call("s", "stock", place="north"), call("w", "weigh", names=["a"], size="$s.heaviest.size")
    ),
    "a text among others in a list": answered(
        call("s", "stock", place="north"), call("w", "weigh", names=["a", "$s.heaviest.name"])
    ),
    "a text that may be missing": answered(
        call("s", "stock", place="north"), call("l", "label", name="$s.note")
    ),
    "every entry of a list": answered(
        call("s", "stock", place="north"), call("p", "pack", item="$item", more={"each": "$s.items"})
    ),
    "a field of every entry": answered(
        call("s", "stock", place="north"), call("l", "label", name="$item.name", more={"each": "$s.items"})
    ),
    "the list that a task with each gives": answered(
        call("l", "label", name="$item", more={"each": ["a", "b"]}),
        call("t", "total", facts="$l"),
    ),
    "as many results as are wanted": answered(
        call("w", "weigh", names=["$item"], more={"each": ["a", "b"]}), call("r", "ratio", facts="$w")
    ),
    "results of results, as many as are wanted": answered(
        call("l", "label", name="$item", more={"each": ["a", "b"]}),
        call("w", "weigh", names=["$item.label"], more={"each": "$l"}),
        call("r", "ratio", facts="$w"),
    ),
    "results of which nobody knows how many": answered(
        call("s", "stock", place="north"),
        call("w", "weigh", names=["$item.name"], more={"each": "$s.items"}),
        call("r", "ratio", facts="$w"),
    ),
    "entries that are written out": answered(
        call("p", "pack", item="$item", boxes=2, more={"each": [{"name": "a", "weight": 1}, {"name": "b", "weight": 2.5}]})
    ),
    "a field of what an agent writes in a form": answered(
        words("r", agent="editor"), call("p", "pack", item={"name": "x", "weight": 1}, boxes="$r.pages")
    ),
    "the text that an agent writes": answered(words("w", agent="host"), call("s", "send", to="me", text="$w")),
    "text that only looks like a reference": answered(call("s", "send", to="me", text="$$t9")),
    "an expectation of its own result": answered(
        call("s", "stock", place="north", more={"expects": (when("$result.heaviest.weight", "above", 2),)})
    ),
    "an expectation of each entry's result": answered(
        call("l", "label", name="$item", more={"each": ["a", "b"], "expects": (when("$result.value", "not_empty"),)})
    ),
}  # fmt: skip

STOCK = call("s", "stock", place="north")


def beside(tool: str, more: dict[str, Any] | None = None, **args: Any) -> list[Task]:
    return answered(STOCK, call("x", tool, more=more, **args))


BAD: dict[str, tuple[list[Task], str, str]] = {
    "no such field, and the nearest": (
        beside(tool="enter", amount="$s.heaviest.wait"), "x", r"the result of s \(Item\) has no field 'wait'"),
    "a mend is offered": (beside(tool="pack", item="$s.heaviest.nam"), "x", "did you mean name\\?"),
    "a list where one is wanted": (beside(tool="pack", item="$s.items"), "x", "item takes Item, and .* is list of Item"),
    "one where a list is wanted": (
        beside(tool="weigh", names="$s.heaviest.name"), "x", r'names takes list of str.*write \["\$s.heaviest.name"\]'),
    "the whole where a field is wanted": (
        beside(tool="enter", amount="$s.heaviest"), "x", r"amount takes float, and .* refer to \$s.heaviest.weight"),
    "wrong inside of a list": (beside(tool="weigh", names=["a", "$s.heaviest"]), "x", "names takes str, and .* is Item"),
    "wrong inside of an object": (
        beside(tool="pack", item={"name": "$s.items", "weight": 1}), "x", "item.name takes str"),
    "an object that lacks a field": (beside(tool="pack", item={"name": "$s.heaviest.name"}), "x", "needs the field weight"),
    "an object where a number is wanted": (
        beside(tool="enter", amount={"a": "$s.heaviest.weight"}), "x", "takes float, and not an object"),
    "a list that is too long": (
        beside(tool="weigh", names=["$s.heaviest.name"] * 4), "x", "at most 3 values, and has 4"),
    "more results than are wanted": (
        answered(call("w", "weigh", names=["$item"], more={"each": ["a", "b", "c"]}), call("x", "ratio", facts="$w")),
        "x", r"facts takes at most 2 values, and \$w has 3"),
    "fewer results than are wanted": (
        answered(call("w", "weigh", names=["$item"], more={"each": ["a"]}), call("x", "compare", facts="$w")),
        "x", r"facts takes at least 2 values, and \$w has 1"),
    "no results where some are wanted": (
        answered(call("w", "weigh", names=["$item"], more={"each": []}), call("x", "total", facts="$w")),
        "x", r"facts takes at least 2 values, and \$w has 0"),
    "more results of results than are wanted": (
        answered(
            call("w", "weigh", names=["$item"], more={"each": ["a", "b", "c", "d"]}),
            call("v", "weigh", names=["$item.label"], more={"each": "$w"}),
            call("x", "ratio", facts="$v")),
        "x", r"facts takes at most 2 values, and \$v has 4"),
    "a tool that never gives as few": (
        answered(call("p", "pair"), call("x", "weigh", names="$p.many")), "x", r"at most 3 values, and \$p.many has 4 or more"),
    "another enumeration": (beside(tool="weigh", names=["a"], size="$s.place"), "x", "size takes one of 'small', 'large'"),
    "an entry where there are none": (beside(tool="label", name="$item"), "x", '"\\$item", and it is not done for each'),
    "each of no list": (
        beside(tool="label", name="$item", more={"each": "$s.heaviest"}), "x", "which is Item and no list"),
    "a field that entries lack": (
        beside(tool="label", name="$item.title", more={"each": "$s.items"}), "x", r"the entry \(Item\) has no field 'title'"),
    "entries of another type": (
        beside(tool="label", name="$item", more={"each": "$s.items"}), "x", r"name takes str, and \$item is Item"),
    "one entry of several that does not fit": (
        answered(call("x", "label", name="$item", more={"each": ["a", 2]})), "x", "for entry 1 .2.: .*does not fit"),
    "a field of a list": (
        answered(call("p", "pack", item={"name": "a", "weight": 1}), call("x", "label", name="$p.name")), "x",
        r"\(list of Item\) has no field 'name'"),
    "a field of a text that an agent writes": (
        answered(words("w"), call("x", "label", name="$w.title")), "x", r"the result of w \(str\) has no field"),
    "a field that the agent's form lacks": (
        answered(words("r", agent="editor"), call("x", "label", name="$r.titel")), "x", "did you mean title"),
    "an expectation of another task": (
        beside(tool="balance", more={"expects": (when("$s.place", "equals", "north"),)}), "x", 'speak of "\\$result"'),
    "an expectation of a field that is not there": (
        beside(tool="stock", place="south", more={"expects": (when("$result.plaice", "not_empty"),)}), "x", "did you mean place"),
    "arguments that do not go together": (
        answered(call("x", "book", first=9, last=3)), "x", "do not fit book together .*first comes after last"),
    "the entry of a condition": (
        beside(tool="label", name="$item", more={"each": ["a"], "when": when("$item", "equals", "a")}), "x",
        "it is not done for each|is not in the graph"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_fits_is_let_pass(house: Crew, name: str) -> None:
    assert said(GOOD[name], house) == []


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_found_and_named(house: Crew, name: str) -> None:
    tasks, task, words_ = BAD[name]
    found = said(tasks, house)
    assert any(f.startswith(f"Task {task}: ") and re.search(words_, f) for f in found), found


def test_tasks_that_are_done_for_each_others_results_are_a_circle(house: Crew) -> None:
    tasks = answered(
        call("a", "label", name="$item.label", more={"each": "$b"}),
        call("b", "label", name="$item.label", more={"each": "$a"}),
        call("c", "ratio", facts="$a"),
    )
    assert any("in a circle (a → b → a)" in finding for finding in said(tasks, house))


def test_a_rule_over_several_arguments_waits_for_those_that_are_not_known_yet(house: Crew) -> None:
    report = words("r", agent="editor")
    assert said(answered(report, call("b", "book", first="$r.pages", last=3)), house) == []
    found = said(answered(report, call("b", "book", first="$r.pages", last="soon")), house)
    assert len(found) == 1
    assert "last='soon' does not fit book" in found[0]
