"""A task graph that cannot run is refused when it is made, and says what to mend."""

from __future__ import annotations

import pytest

from crewgraph.runtime.errors import InvalidGraph
from crewgraph.runtime.graph import Reference, Task, TaskGraph, TaskResult, references, resolve


def task(name: str, *needs: str, **args: object) -> Task:
    return Task(id=name, description=name, depends_on=needs, args=args)  # type: ignore[arg-type]


def test_a_circle_is_named() -> None:
    with pytest.raises(InvalidGraph, match=r"circle \(.*a.*→.*b.*\)"):
        TaskGraph([task("a", "b"), task("b", "a")])


def test_a_task_that_waits_for_itself_is_a_circle() -> None:
    with pytest.raises(InvalidGraph, match="circle"):
        TaskGraph([task("a", x="$a")])


def test_two_tasks_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidGraph, match="Two tasks are called 'a'"):
        TaskGraph([task("a"), task("a")])


def test_an_unknown_dependency_is_named_with_what_there_is() -> None:
    with pytest.raises(InvalidGraph, match=r"'b' waits for 'z', which is not in the graph \(it has: a, b\)"):
        TaskGraph([task("a"), task("b", x="$z.field")])


def test_a_task_without_an_id_is_refused() -> None:
    with pytest.raises(InvalidGraph, match="has no id"):
        TaskGraph([task("")])


def test_references_are_dependencies_and_each_counts_once() -> None:
    assert task("c", "a", x=["$a.n", {"y": "$b"}]).needs == ("a", "b")


def test_references_become_values_of_their_type() -> None:
    results = {"a": TaskResult(value={"n": 3, "deep": {"list": [1, 2]}}), "b": TaskResult(value=2.5)}
    given = {"n": "$a.n", "list": "$a.deep.list", "b": "$b", "text": "costs $5", "literal": "$$a"}
    assert resolve(given, results) == {
        "n": 3,
        "list": [1, 2],
        "b": 2.5,
        "text": "costs $5",
        "literal": "$a",
    }


def test_a_field_that_a_result_does_not_have_is_named() -> None:
    with pytest.raises(InvalidGraph, match=r"'\$a.size' asks for field 'size'"):
        resolve("$a.size", {"a": TaskResult(value={"n": 1})})


def test_what_is_no_reference_stays_text() -> None:
    assert list(references(["$", "$ a", "a$b", "$a b", 5, None])) == []
    assert Reference.parse("$a.b.c") == Reference(task="a", path=("b", "c"))
