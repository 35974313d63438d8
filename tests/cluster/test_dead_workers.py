"""What a dead worker held is taken over by the living, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random

from crewgraph.runtime.errors import StepInDoubt
from crewgraph.runtime.events import Answer
from crewgraph.runtime.graph import Task
from crewgraph.runtime.reading.questions import open_questions

from .conftest import Hire, Worker, World, fan


async def busy_one(world: World, workers: list[Worker]) -> Worker:
    """A worker that has work under way just now."""
    while True:
        for worker in workers:
            if await world.held(worker):
                return worker
        await asyncio.sleep(0.02)


async def nothing_twice(world: World, runs: list[str]) -> None:
    assert [await world.answer(run) for run in runs] == ["17"] * len(runs)
    keys = [key for _, key, _ in world.effects.rows()]
    assert len(keys) == len(set(keys)) == 10 * len(runs)


async def test_killed_workers_runs_end_right_elsewhere(world: World, hire: Hire) -> None:
    workers = await asyncio.to_thread(hire, world.url, count=3)
    runs = [await world.submit(fan(0.05)) for _ in range(8)]
    for _ in range(2):
        await asyncio.sleep(random.uniform(0.05, 0.4))
        victim = await busy_one(world, workers)
        victim.kill()
        workers.remove(victim)
    await nothing_twice(world, runs)


async def test_two_that_die_at_once_are_taken_over_though_one_watched_the_other(
    world: World, hire: Hire
) -> None:
    workers = await asyncio.to_thread(hire, world.url, count=3)
    runs = [await world.submit(fan(0.05)) for _ in range(4)]
    await busy_one(world, workers[:2])
    for worker in workers[:2]:
        worker.process.kill()
    await nothing_twice(world, runs)


async def test_when_all_are_dead_the_next_one_that_begins_goes_on(world: World, hire: Hire) -> None:
    workers = await asyncio.to_thread(hire, world.url, count=2)
    runs = [await world.submit(fan(0.1)) for _ in range(3)]
    await busy_one(world, workers)
    for worker in workers:
        worker.kill()
    await asyncio.to_thread(hire, world.url)
    await nothing_twice(world, runs)


async def test_an_effect_that_nobody_can_find_out_about_is_asked_about_and_not_repeated(
    world: World, hire: Hire
) -> None:
    await asyncio.to_thread(hire, world.url, count=2)
    tasks = [Task(id="a", description="dies in effect"), Task(id="b", description="once", depends_on=("a",))]
    run = await world.submit(tasks)
    ending = await world.end(run)
    assert ending.code == StepInDoubt.code
    assert world.effects.count("a") == 1

    [question] = open_questions(await world.store.events(run))
    assert question.in_doubt
    await world.store.answer(run, question.key, Answer(decision="answer", value=1))
    await world.go_on(run, tasks)
    assert await world.answer(run) == "2"
    assert world.effects.count("a") == 1


async def test_a_run_that_takes_its_workers_down_again_and_again_is_given_up(
    world: World, hire: Hire
) -> None:
    tasks = [Task(id="a", description="once")]
    journal = await world.store.create_run("test", "deadly", claim=False)
    await journal.aclose()
    for _ in range(21):  # so often it was begun, and whoever carried it got no further
        await (await world.store.open_run(journal.run_id)).aclose()
    await world.go_on(journal.run_id, tasks)
    await asyncio.to_thread(hire, world.url)
    assert "workers in a row died" in (await world.end(journal.run_id)).error
    assert world.effects.rows() == []


async def test_a_worker_that_is_asked_to_stop_ends_what_it_can_and_leaves_the_rest_to_others(
    world: World, hire: Hire
) -> None:
    workers = await asyncio.to_thread(hire, world.url, count=2)
    runs = [await world.submit(fan(0.05)) for _ in range(4)]
    leaver = await busy_one(world, workers)
    leaver.process.terminate()
    assert await asyncio.to_thread(leaver.process.wait, 30) == 0
    await nothing_twice(world, runs)


async def test_what_the_database_refuses_fails_its_task_and_takes_no_worker_down(
    world: World, hire: Hire
) -> None:
    [worker] = await asyncio.to_thread(hire, world.url)
    await world.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.body LIKE '%poison%' THEN RAISE EXCEPTION 'not here'; END IF; RETURN NEW; END $$"
    )
    await world.sql("CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()")
    refused = await world.submit([Task(id="poison", description="once")])
    assert "PostgreSQL refused what was to be written (not here)" in (await world.end(refused)).error
    assert await world.answer(await world.submit([Task(id="a", description="once")])) == "1"
    assert worker.process.poll() is None
    assert world.effects.count("poison") == 0
