"""A task with `each` is carried out once for every entry, side by side, and comes together in their order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.runtime.budget import Cost
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidGraph, TaskFailed
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.policy import Retry


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


CITIES = [{"name": "Rome", "km": 3}, {"name": "Oslo", "km": 1}, {"name": "Bern", "km": 2}]


async def travel(work: Task, ctx: RunContext) -> Any:
    if work.id == "list":
        return CITIES
    if not work.id.startswith("go"):
        return work.args or work.id
    await asyncio.sleep(work.args["km"])
    text = f"was in {work.args['city']}"
    return TaskResult(value=work.args["city"], text=text, evidence=("a map", text))


GO = task("go", each="$list", args={"city": "$item.name", "km": "$item.km"})


def test_entries_run_side_by_side_and_results_stand_in_their_order(trial: Any) -> None:
    results = trial.sitting([task("list"), GO, task("after", args={"all": "$go"})], travel)
    assert list(results) == ["list", "go", "after"]
    assert results["go"] == TaskResult(
        value=["Rome", "Oslo", "Bern"],
        text="was in Rome\nwas in Oslo\nwas in Bern",
        evidence=("a map", "was in Rome", "was in Oslo", "was in Bern"),
    )
    assert results["after"].value == {"all": ["Rome", "Oslo", "Bern"]}
    assert trial.seconds == 3
    ended = [name for name in trial.ids("task_finished") if name.startswith("go")]
    assert ended == ["go.1", "go.2", "go.0", "go"]
    assert trial.ids("task_started") == ["list", "go", "go.0", "go.1", "go.2", "after"]


def test_each_entry_takes_a_place_in_the_limits_and_the_whole_takes_none(trial: Any) -> None:
    running = most = 0

    async def worker(work: Task, ctx: RunContext) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return work.args["n"]

    many = task("m", each=list(range(10)), args={"n": "$item"}, agent="writer")
    assert trial.sitting([many], worker, limit=3)["m"].value == list(range(10))
    assert most == 3
    most = 0
    trial.tape.rows.clear()
    trial.sitting([many], worker, limit=8, agents={"writer": 2})
    assert most == 2


def test_an_entry_sees_the_results_that_the_task_needs(trial: Any) -> None:
    seen: list[Any] = []

    async def worker(work: Task, ctx: RunContext) -> Any:
        seen.append((work.id, work.args, work.each, sorted(ctx.results)))
        return "unit"

    trial.sitting(
        [task("a"), task("m", each=[1, 2], args={"n": "$item", "u": "$a", "literal": "$$a"})], worker
    )
    assert seen[1:] == [
        ("m.0", {"n": 1, "u": "unit", "literal": "$a"}, None, ["a"]),
        ("m.1", {"n": 2, "u": "unit", "literal": "$a"}, None, ["a"]),
    ]


def test_a_value_that_looks_like_a_reference_is_a_value(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        return ["$item", "$list"] if work.id == "list" else work.args

    results = trial.sitting([task("list"), task("m", each="$list", args={"x": "$item"})], worker)
    assert results["m"].value == [{"x": "$item"}, {"x": "$list"}]


def test_an_empty_list_is_done_at_once(trial: Any) -> None:
    assert trial.sitting([task("m", each=[])], travel)["m"] == TaskResult(value=[])
    assert trial.done == []


@pytest.mark.parametrize("failing", [{1}, {0, 2}])
def test_the_others_are_kept_when_entries_fail_and_a_resume_runs_only_those(
    trial: Any, failing: set[int]
) -> None:
    broken = True

    async def worker(work: Task, ctx: RunContext) -> Any:
        if broken and work.id in {f"go.{n}" for n in failing}:
            raise ValueError("no train")
        return await travel(work, ctx)

    tasks = [task("list"), GO, task("after", "go")]
    said = rf"'go' failed, and 1 .* skipped: {len(failing)} of 3 entries failed, entry {min(failing)}: ValueError: no train"
    with pytest.raises(TaskFailed, match=said):
        trial.sitting(tasks, worker)
    assert set(trial.ids("task_erred")) == {"go", *(f"go.{n}" for n in failing)}
    assert len([name for name in trial.ids("task_finished") if "." in name]) == 3 - len(failing)
    assert trial.ids("task_skipped") == ["after"]
    broken = False
    assert trial.sitting(tasks, worker)["go"].value == ["Rome", "Oslo", "Bern"]
    assert trial.done == [*(f"go.{n}" for n in sorted(failing)), "after"]
    trial.sitting(tasks, worker)
    assert trial.done == []
    assert trial.replay(tasks, worker)["go"].value == ["Rome", "Oslo", "Bern"]


def test_an_entry_is_tried_again_by_itself(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "m.1" and trial.done.count("m.1") < 3:
            raise ConnectionError("busy")
        return work.args["n"] * 10

    retry = Retry(attempts=3, wait=1, factor=1, jitter=0)
    results = trial.sitting([task("m", each=[1, 2, 3], args={"n": "$item"}, retry=retry)], worker)
    assert results["m"].value == [10, 20, 30]
    assert trial.done == ["m.0", "m.1", "m.2", "m.1", "m.1"]
    assert trial.ids("task_retried") == ["m.1", "m.1"]


def test_a_field_that_one_entry_does_not_have_fails_that_entry(trial: Any) -> None:
    cities = [{"name": "Rome", "km": 0}, {"name": "Oslo"}]
    with pytest.raises(
        TaskFailed, match=r"1 of 2 entries failed, entry 1: .*'\$item.km' asks for field 'km'"
    ):
        trial.sitting([GO.model_copy(update={"each": cities})], travel)
    assert trial.ids("task_finished") == ["go.0"]


def test_what_is_no_list_is_said(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        return {"not": "a list"}

    with pytest.raises(TaskFailed, match=r"'m' failed: it is to be done for each of '\$a', which is dict"):
        trial.sitting([task("a"), task("m", each="$a")], worker)
    with pytest.raises(InvalidGraph, match="'m' is to be done for each of 'abc': give a list"):
        TaskGraph([task("m", each="abc")])


def test_no_task_may_be_called_like_an_entry() -> None:
    with pytest.raises(InvalidGraph, match=r"'m\.0' is called like an entry of 'm'"):
        TaskGraph([task("m", each=[1]), task("m.0")])
    TaskGraph([task("m"), task("m.0"), task("n", each=[1]), task("n.x")])


def test_a_list_that_changes_is_done_again_where_it_changed(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        return work.args["n"]

    trial.sitting([task("m", each=[1, 2, 3], args={"n": "$item"})], worker)
    assert trial.sitting([task("m", each=[1, 5, 3], args={"n": "$item"})], worker)["m"].value == [1, 5, 3]
    assert trial.done == ["m.1"]


def test_a_crash_at_any_moment_repeats_no_finished_entry(trial: Any) -> None:
    tasks = [task("list"), GO, task("after", "go")]
    trial.sitting(tasks, travel, limit=2)
    rows = list(trial.tape.rows)
    for cut in range(len(rows)):
        trial.tape.rows = list(rows)
        kept = {row.task_id for row in rows[:cut] if row.kind == "task_finished"}
        assert trial.sitting(tasks, travel, upto=cut, limit=2)["go"].value == ["Rome", "Oslo", "Bern"]
        assert kept.isdisjoint(trial.done)


def test_what_all_entries_used_is_what_the_whole_used(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        async def call() -> int:
            return 1

        return await ctx.step("call", call, inputs={}, cost=lambda _: Cost(tokens=work.args["n"]))

    trial.sitting([task("m", each=[1, 2, 3], args={"n": "$item"})], worker)
    assert {e.task_id: e.tokens for e in trial.of("task_finished")} == {"m.0": 1, "m.1": 2, "m.2": 3, "m": 6}
