"""Tasks are carried out on whichever worker is free, and everything about them comes back as if it had been here."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from crewgraph.runtime.budget import Budget
from crewgraph.runtime.cluster.workflows.client import Client
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import BudgetExceeded, RunWaiting, ToolError
from crewgraph.runtime.events import Answer, TaskRetried
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.policy import Retry
from crewgraph.runtime.reading.questions import open_questions
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store.seal import Seal

from .conftest import JOBS, Hire, World, fan, world_on


async def test_two_workers_share_runs_and_each_effect_happens_once(busy: World) -> None:
    runs = [await busy.submit(fan()) for _ in range(6)]
    assert [await busy.answer(run) for run in runs] == ["17"] * 6
    effects = busy.effects.rows()
    assert len(effects) == len({key for _, key, _ in effects}) == 60
    assert len({pid for _, _, pid in effects}) == 2


async def test_the_scheduler_gets_the_same_results_as_in_its_own_process(busy: World) -> None:
    from .jobs import make

    here = RunContext(await busy.store.create_run("test", "here"))
    own = await make({"effects": busy.effects.path}, None)
    expected = await execute(TaskGraph(fan()), own, here)
    await here.journal.aclose()

    there = RunContext(await busy.store.create_run("test", "there"))
    worker = busy.cluster.worker(f"{JOBS}:make", {"effects": busy.effects.path})
    found = await execute(TaskGraph(fan()), worker, there)
    await there.journal.aclose()

    assert found == expected


async def test_a_replay_reads_back_what_others_carried_out(busy: World) -> None:
    run = await busy.submit(fan())
    await busy.answer(run)

    async def refuses(task: Task, ctx: RunContext) -> TaskResult:
        async def never() -> int:
            raise AssertionError("a replay has no effects")

        await ctx.step("effect", never, inputs=task.id, effect="once")
        value = 1 + sum(int(result.text) for result in ctx.results.values())
        return TaskResult(value=value, text=str(value))

    replay = RunContext(await busy.store.read_run(run))
    results = await execute(TaskGraph(fan()), refuses, replay)
    assert results["t9"].text == "17"


async def test_errors_come_back_as_what_they_were(busy: World) -> None:
    ctx = RunContext(await busy.store.create_run("test", "errors"))
    worker = busy.cluster.worker(f"{JOBS}:make", {"effects": busy.effects.path})
    async with ctx.journal:
        with pytest.raises(ToolError, match=r"^The pump is broken: mend it\.$"):
            await worker(Task(id="a", description="fails"), ctx.for_task("a"))
        with pytest.raises(ZeroDivisionError, match="nothing to divide by"):
            await worker(Task(id="b", description="fails oddly"), ctx.for_task("b"))


async def test_a_failed_task_is_tried_again_and_its_finished_steps_are_not(busy: World) -> None:
    retry = Retry(attempts=3, wait=0.01)
    run = await busy.submit([Task(id="a", description="fails twice", retry=retry)])
    assert await busy.answer(run) == "1"
    assert busy.effects.count("a tried") == 3
    assert busy.effects.count("a") == 1


async def test_a_run_that_failed_is_tried_anew_when_it_is_submitted_again(busy: World) -> None:
    tasks = [Task(id="a", description="fails twice")]
    run = await busy.submit(tasks)
    for attempt in (1, 2):
        assert f"attempt {attempt} failed" in (await busy.end(run)).error
        await busy.go_on(run, tasks)
    assert await busy.answer(run) == "1"


async def test_a_question_lets_go_of_everything_until_it_is_answered(busy: World) -> None:
    tasks = [Task(id="a", description="asks"), Task(id="b", description="once", depends_on=("a",))]
    run = await busy.submit(tasks)
    ending = await busy.end(run)
    assert ending.code == RunWaiting.code
    owners = await busy.sql("SELECT owner FROM runs WHERE id = $1 OR parent = $1", run)
    assert [row[0] for row in owners] == [None, None]

    [question] = open_questions(await busy.store.events(run))
    assert question.question == "How many?"
    await busy.store.answer(run, question.key, Answer(decision="answer", value=41))
    await busy.go_on(run, tasks)
    assert await busy.answer(run) == "42"


async def test_what_tasks_use_elsewhere_is_counted_once(busy: World) -> None:
    run = await busy.submit([Task(id=f"t{n}", description="spends") for n in range(3)])
    await busy.answer(run)
    record = await busy.store.find_run(run)
    assert (record.tokens, record.tool_calls) == (300, 3)


async def test_what_is_left_of_a_budget_goes_along_with_a_task(busy: World) -> None:
    chain = [Task(id=f"t{n}", description="spends", depends_on=(f"t{n - 1}",) if n else ()) for n in range(4)]
    worker = busy.cluster.worker(f"{JOBS}:make", {"effects": busy.effects.path})
    async with await busy.store.create_run("test", "budget") as journal:
        with pytest.raises(BudgetExceeded):
            await execute(TaskGraph(chain), worker, RunContext(journal, budget=Budget(tokens=200)))
        finished = [task.id for task in chain if journal.finished_task(task.id) is not None]
        assert finished == ["t0", "t1"]


async def test_a_graph_that_grows_elsewhere_grows_here(busy: World) -> None:
    run = await busy.submit(
        [Task(id="a", description="grows"), Task(id="last", description="once", depends_on=("a",))]
    )
    await busy.answer(run)
    assert busy.effects.count("added") == 1


async def test_large_results_come_back_whole(busy: World) -> None:
    run = await busy.submit(
        [Task(id="a", description="large"), Task(id="b", description="large", depends_on=("a",))]
    )
    assert await busy.answer(run) == "large"
    journal = await busy.store.read_run(run)
    finished = journal.finished_task("b")
    assert finished is not None
    assert finished.result.value == ["Ω" * 100_000, ["Ω" * 100_000]]


async def test_cancelling_a_run_stops_its_tasks_wherever_they_are(busy: World) -> None:
    tasks = [Task(id="a", description="waits"), Task(id="b", description="waits")]
    run = await busy.submit(tasks)
    await busy.effects.until("begun", 2)
    await busy.cluster.cancel(run)
    await busy.effects.until("stopped", 2)
    assert "CANCELLED" in (await busy.end(run)).error
    await busy.go_on(run, [Task(id="a", description="once"), Task(id="b", description="once")])
    assert await busy.answer(run) == "1"


async def test_a_timed_out_task_is_stopped_where_it_is_and_tried_again(busy: World) -> None:
    task = Task(id="a", description="waits", timeout=0.5, retry=Retry(attempts=2, wait=0.0))
    run = await busy.submit([task])
    assert "longer than 0.5 seconds" in (await busy.end(run)).error
    assert sum(isinstance(event, TaskRetried) for event in await busy.store.events(run)) == 1
    await busy.effects.until("stopped", busy.effects.count("begun"))


async def test_a_queue_with_a_limit_is_never_fuller_than_it_on_all_workers_together(busy: World) -> None:
    tasks = [Task(id=f"t{n}", description="alone", agent="shy") for n in range(6)]
    run = await busy.submit(tasks, queues={"shy": "narrow"})
    await busy.answer(run)
    inside = most = 0
    for what, _, _ in busy.effects.rows():
        inside += {"in": 1, "out": -1}[what]
        most = max(most, inside)
    assert most == 1


async def test_nothing_is_pickled(busy: World) -> None:
    run = await busy.submit([Task(id="a", description="waits")])
    await busy.effects.until("begun")
    formats = await busy.sql("SELECT DISTINCT serialization FROM crewgraph_dbos.workflow_status")
    inputs = await busy.sql("SELECT inputs FROM crewgraph_dbos.workflow_input")
    await busy.cluster.cancel(run)
    assert [row[0] for row in formats] == ["portable_json"]
    assert any('"description":"waits"' in row[0] for row in inputs)


async def test_a_maker_that_is_not_there_is_told_in_one_sentence(busy: World) -> None:
    ctx = RunContext(await busy.store.create_run("test", "paths"))
    async with ctx.journal:
        for maker, said in (
            ("no_such_package.module:make", "cannot be imported on this worker"),
            (f"{JOBS}:no_such_maker", "has no 'no_such_maker'"),
            ("no path", "is no import path"),
        ):
            with pytest.raises(Exception, match=said):
                await busy.cluster.worker(maker, {})(Task(id="a", description="once"), ctx.for_task("a"))


async def test_what_goes_over_the_queues_is_encrypted_where_the_store_is(
    postgres_url: str, tmp_path: Path, hire: Hire
) -> None:
    key = pytest.importorskip("cryptography.fernet").Fernet.generate_key().decode()
    tasks = [Task(id="a", description="large"), Task(id="b", description="waits", depends_on=("a",))]
    async with world_on(postgres_url, tmp_path, key=key) as world:
        await asyncio.to_thread(hire, postgres_url, env={"KEY": key})
        run = await world.submit(tasks)
        await world.effects.until("begun")
        kept = [row[0] for row in await world.sql("SELECT inputs FROM crewgraph_dbos.workflow_input")]
        kept += [row[0] for row in await world.sql("SELECT output FROM crewgraph_dbos.workflow_output")]
        await world.cluster.cancel(run)
        assert len(kept) >= 4
        assert not any("waits" in letter or "Ω" in letter for letter in kept)


async def test_what_ended_long_ago_is_forgotten_by_the_queues_and_kept_by_the_store(busy: World) -> None:
    run = await busy.submit([Task(id="a", description="once")])
    await busy.answer(run)
    client = await Client.open(busy.url, Seal())
    try:
        await client.sweep(time.time() - 60)
        assert [workflow.id for workflow in await client.find([run])] == [run]
        await client.sweep(time.time() + 60)
        assert await client.find([run]) == []
    finally:
        await client.aclose()
    assert (await busy.store.find_run(run)).answer == "1"
