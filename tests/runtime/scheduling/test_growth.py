"""A graph grows while it is carried out: a worker adds tasks, a planner streams them, and a resume knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import EngineError, InvalidGraph, RunWaiting, StoreError, TaskFailed
from crewgraph.runtime.events import Answer
from crewgraph.runtime.graph import Task
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.policy import Condition, Retry


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(id=name, description=name, depends_on=needs, **more)


def adding(*tasks: Task, then: Sequence[str] = (), before: float = 1, after: float = 1) -> Any:
    """A worker: task "adder" adds these in the middle of its work, all others take a second."""

    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "adder":
            await asyncio.sleep(before)
            await ctx.add_tasks(tasks, then=then)
            await asyncio.sleep(after)
        else:
            await asyncio.sleep(1)
        return sorted(ctx.results)

    return worker


def test_an_added_task_begins_at_once_while_the_adder_goes_on(trial: Any) -> None:
    results = trial.sitting([task("adder")], adding(task("new"), task("next", "new"), after=5))
    assert list(results) == ["adder", "new", "next"]
    assert trial.ids("task_finished") == ["new", "next", "adder"]
    assert trial.seconds == 6
    (added,) = trial.of("tasks_added")
    assert (added.task_id, [t.id for t in added.tasks]) == ("adder", ["new", "next"])
    kinds = [(event.kind, event.task_id) for event in trial.events]
    assert kinds.index(("tasks_added", "adder")) < kinds.index(("task_started", "new"))


def test_new_tasks_may_need_any_task_finished_ones_and_the_adder_too(trial: Any) -> None:
    results = trial.sitting(
        [task("early"), task("adder", "early")],
        adding(task("new", "early", "adder"), task("reads", args={"x": "$new"})),
    )
    assert results["new"].value == ["adder", "early"]
    assert results["reads"].value == ["new"]


def test_tasks_named_in_then_wait_for_the_new_ones_and_see_their_results(trial: Any) -> None:
    tasks = [task("adder"), task("sum", "adder"), task("other", "adder")]
    results = trial.sitting(tasks, adding(task("n1"), task("n2", "adder"), then=["sum"]))
    assert results["sum"].value == ["adder", "n1", "n2"]
    assert results["other"].value == ["adder"]
    trial.sitting(tasks, adding())
    assert trial.done == []


@pytest.mark.parametrize(
    ("tasks", "then", "said"),
    [
        ([task("n", "nowhere")], [], "'n' waits for 'nowhere', which is not in the graph"),
        ([task("n", "m.0")], [], "'n' waits for 'm.0', which is not in the graph"),
        ([task("a", "b"), task("b", "a")], [], "wait for each other in a circle"),
        ([task("n", "n")], [], "wait for each other in a circle"),
        ([task("n", "sum")], ["sum"], "circle.*(sum → n → sum|n → sum → n)"),
        ([task("n", "after")], ["sum"], "circle"),
        ([task("n1"), task("n2", "last")], ["sum", "last"], "circle"),
        ([task("n")], ["early"], "'early' cannot wait for added tasks, for it has begun or is over"),
        ([task("n")], ["adder"], "'adder' cannot wait for added tasks, for it has begun"),
        ([task("n")], ["nobody"], "'nobody' is to wait for added tasks and is not in the graph"),
        ([task("n")], ["n"], "'n' is to wait for added tasks and is not in the graph"),
        (
            [Task(id="early", description="another one")],
            [],
            "'early' is in the graph and says something else",
        ),
        ([task("n"), Task(id="n", description="another one")], [], "'n' is in the graph and says something"),
        ([task("")], [], "has no id"),
        ([task("m.7")], [], r"'m\.7' is called like an entry of 'm'"),
        ([task("n", each="no list")], [], "give a list"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_is_changed(
    trial: Any, tasks: list[Task], then: list[str], said: str
) -> None:
    given = [
        task("early"),
        task("m", each=[1]),
        task("adder", "early", "m"),
        task("sum", "adder"),
        task("after", "sum"),
        task("last", "after"),
    ]
    with pytest.raises(TaskFailed, match=said):
        trial.sitting(given, adding(*tasks, then=then))
    assert trial.of("tasks_added") == []
    assert trial.done == ["early", "m.0", "adder"]


def test_the_same_tasks_again_do_nothing(trial: Any) -> None:
    new = task("new", args={"f": 1.5, "s": "half \ud83d"})

    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "adder":
            await ctx.add_tasks([new], then=["sum"])
            await ctx.add_tasks([new, new], then=["sum"])
            if len(trial.done) < 4:
                raise ConnectionError("busy")
        return work.id

    tasks = [task("adder", retry=Retry(wait=1)), task("sum", "adder")]
    assert set(trial.sitting(tasks, worker)) == {"adder", "sum", "new"}
    assert sorted(trial.done) == ["adder", "adder", "adder", "new", "sum"]
    assert trial.rows("tasks_added") == ["adder"]


def test_a_crash_at_any_moment_of_growth_ends_in_the_same_results(trial: Any) -> None:
    worker = adding(task("n1"), task("n2", "n1", "adder"), then=["sum"])
    tasks = [task("early"), task("adder", "early"), task("sum", "adder"), task("last", "sum")]
    expected = trial.sitting(tasks, worker)
    rows = list(trial.tape.rows)
    for cut in range(len(rows) + 1):
        trial.tape.rows = list(rows)
        finished = {row.task_id for row in rows[:cut] if row.kind == "task_finished"}
        results = trial.sitting(tasks, worker, upto=cut)
        assert (list(results), results) == (list(expected), expected)
        assert finished.isdisjoint(trial.done)
        assert trial.rows("tasks_added") == ["adder"]
        assert trial.replay(tasks, worker) == expected


def test_a_finished_adder_is_not_run_again_for_what_it_added(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "adder":
            await ctx.add_tasks([task("new", "adder")])
        if work.id == "new" and "new" not in seen:
            seen.append("new")
            raise ValueError("broken")
        return work.id

    seen: list[str] = []
    with pytest.raises(TaskFailed, match="'new' failed"):
        trial.sitting([task("adder")], worker)
    assert list(trial.sitting([task("adder")], worker)) == ["adder", "new"]
    assert trial.done == ["new"]
    assert [e.task_id for e in trial.of("tasks_added")] == ["adder"], "screens hear of it in each sitting"


def test_what_needs_a_task_that_failed_is_skipped_when_it_is_added(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "bad":
            raise ValueError("broken")
        if work.id == "adder":
            await asyncio.sleep(1)
            await ctx.add_tasks([task("n", "bad"), task("n2", "n"), task("n3")], then=["sum"])
        return work.id

    with pytest.raises(TaskFailed, match="'bad' failed, and 4 that need it were skipped"):
        trial.sitting([task("bad"), task("adder"), task("sum", "adder"), task("after", "sum")], worker)
    assert sorted(trial.ids("task_skipped")) == ["after", "n", "n2", "sum"]
    assert sorted(trial.ids("task_finished")) == ["adder", "n3"]


def test_what_reads_a_task_that_was_passed_over_is_passed_over_when_it_is_added(trial: Any) -> None:
    never = Condition(value=1, test="equals", to=2)
    results = trial.sitting(
        [task("over", when=never), task("adder")],
        adding(
            task("reads", args={"x": "$over"}), task("reads2", args={"x": "$reads"}), task("waits", "reads2")
        ),
    )
    assert list(results) == ["adder", "waits"]


def test_an_added_map_and_an_entry_that_adds(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        if work.id == "adder":
            await ctx.add_tasks([task("m", each=[1, 2], args={"n": "$item"})])
        if work.id == "m.1":
            await ctx.add_tasks([task("new", args={"all": "$m"})])
        return work.args.get("n", work.args)

    results = trial.sitting([task("adder")], worker)
    assert results["new"].value == {"all": [1, 2]}
    assert trial.sitting([task("adder")], worker) == results
    assert trial.done == []


def test_more_urgent_chains_are_noticed_when_they_are_added(trial: Any) -> None:
    tasks = [task("adder", expected_seconds=50), task("long", expected_seconds=9), task("short")]
    added = [task("n", "short", expected_seconds=20)]
    trial.sitting(tasks, adding(*added, after=0), limit=1)
    assert trial.ids("task_started") == ["adder", "short", "n", "long"]


def test_nothing_can_be_added_when_nothing_is_carried_out() -> None:
    with pytest.raises(InvalidGraph, match="only be added while a graph is carried out"):
        asyncio.run(RunContext(Journal("r-test")).add_tasks([task("a")]))


def streaming(*batches: Any, pause: float = 2) -> AsyncIterator[Any]:
    async def planner() -> AsyncIterator[Any]:
        for batch in batches:
            await asyncio.sleep(pause)
            if isinstance(batch, BaseException):
                raise batch
            yield batch

    return planner()


def test_streamed_tasks_begin_while_the_planner_goes_on(trial: Any) -> None:
    growth = streaming(task("a"), [task("b", "a"), task("c", args={"x": "$b"})], task("d", "a"))
    results = trial.sitting([], growth=growth)
    assert results["c"].value == "c"
    kinds = [(event.kind, event.task_id) for event in trial.events]
    assert kinds.index(("task_finished", "a")) < kinds.index(("tasks_added", ""), 1)
    assert trial.ids("tasks_added") == ["", "", ""]
    assert list(results) == ["a", "b", "c", "d"]


def test_the_stream_takes_no_longer_than_its_last_task(trial: Any) -> None:
    async def worker(work: Task, ctx: RunContext) -> Any:
        await asyncio.sleep(5)

    trial.sitting([task("own")], worker, growth=streaming(task("a"), task("b"), task("c")))
    assert trial.seconds == 6 + 5


def test_resumed_the_streamed_tasks_come_from_the_journal_and_are_known_again(trial: Any) -> None:
    def planner() -> AsyncIterator[Any]:
        return streaming(task("a"), task("b", "a"), task("c", "b"))

    expected = trial.sitting([], growth=planner())
    rows = list(trial.tape.rows)
    for cut in range(len(rows) + 1):
        trial.tape.rows = list(rows)
        assert trial.sitting([], growth=planner(), upto=cut) == expected
        assert trial.rows("tasks_added") == ["", "", ""]
        assert set(trial.rows("task_finished")) == {"a", "b", "c"}
        assert len(trial.rows("task_finished")) == 3
    assert trial.sitting([]) == expected, "the planner need not come again"
    assert trial.replay([], growth=planner()) == expected


def test_a_planner_that_fails_keeps_what_it_gave(trial: Any) -> None:
    with pytest.raises(TaskFailed, match=r"The planning broke off: ValueError: no more\. The 2 finished"):
        trial.sitting([], growth=streaming(task("a"), task("b"), ValueError("no more")))
    with pytest.raises(EngineError, match="not there"):
        trial.sitting([], growth=streaming(task("c", "a"), EngineError("The engine is not there.")))
    assert trial.ids("task_finished") == ["a", "b", "c"]
    with pytest.raises(InvalidGraph, match="waits for 'nowhere'"):
        trial.sitting([], growth=streaming(task("d", "nowhere"), task("e")))
    with pytest.raises(StoreError):
        trial.sitting([], growth=streaming(StoreError("disk full")))


def test_a_planner_may_ask_a_person(trial: Any) -> None:
    def planner(ctx: RunContext) -> AsyncIterator[Any]:
        async def stream() -> AsyncIterator[Any]:
            yield task("a")
            yield task((await ctx.ask("Which next?")).value)

        return stream()

    with pytest.raises(RunWaiting, match="Which next"):
        trial.sitting([], planner=planner)
    trial.person = lambda asked: Answer(decision="answer", value="b")
    assert list(trial.sitting([], planner=planner)) == ["a", "b"]


def test_stopped_the_planner_is_closed(trial: Any) -> None:
    closed: list[str] = []

    async def planner() -> AsyncIterator[Any]:
        try:
            yield task("a")
            await asyncio.sleep(99)
        finally:
            closed.append("closed")

    async def worker(work: Task, ctx: RunContext) -> Any:
        raise StoreError("disk full")

    with pytest.raises(StoreError):
        trial.sitting([], worker, growth=planner())
    assert closed == ["closed"]
