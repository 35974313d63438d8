"""What past runs took is read from the store, once for a run, and read back in its replay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import JsonValue

from crewgraph import Agent, Crew, Task, tool
from crewgraph.agents.aptitude import Aptitude
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.estimating.comparison import compare
from crewgraph.planner.estimating.estimate import estimate
from crewgraph.planner.estimating.measures import NOTHING_KNOWN, Known, Measured, of_agent, of_tool
from crewgraph.planner.orchestrator import Orchestrator
from crewgraph.planner.plan import Estimate
from crewgraph.planner.services import Services
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import (
    Event,
    PlanMade,
    RunFinished,
    RunStarted,
    StepFinished,
    StepIntended,
    TaskFinished,
    TaskStarted,
)
from crewgraph.runtime.graph import TaskResult
from crewgraph.runtime.journalling.row import LARGE_BYTES
from crewgraph.runtime.reading.history import summarise
from crewgraph.runtime.reading.replay import open_replay, to_its_end
from crewgraph.runtime.store import Store, open_store
from crewgraph.runtime.store.sql.work import RUNS
from crewgraph.serving.house import House
from crewgraph.serving.measures import FRESH_SECONDS, PastWork
from crewgraph.serving.settings import Settings


@tool
async def look(at: str) -> list[str]:
    """Look something up."""
    return [at, '{"seconds":99,"tokens":99}']


CREW = Crew(
    name="looking",
    agents=[Agent("clerk", "Look things up.", tools=[look]), Agent("host", "Answer in a sentence.")],
    tasks=[
        Task(id="one", description="look one up", tool="look", args={"at": "x"}, agent="clerk"),
        Task(
            id="all",
            description="each",
            tool="look",
            args={"at": "$item"},
            each=["a", "b", "c"],
            agent="clerk",
        ),
        Task(id="answer", description="answer", agent="host", depends_on=("one", "all")),
    ],
)


def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, model_url=None, model=None)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "runs.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


async def done(
    store: Store,
    tasks: Sequence[tuple[Task, float, int, Sequence[StepFinished]]],
    crew: str = "looking",
) -> None:
    async with await store.create_run(crew, "?") as journal:
        begun: list[Event] = [
            RunStarted(at=1.0, crew=crew, request="?"),
            PlanMade(at=1.0, tasks=tuple(task for task, *_ in tasks), strategy="rules"),
        ]
        for task, seconds, tokens, steps in tasks:
            begun.append(TaskStarted(at=1.0, task_id=task.id))
            for step in steps:
                begun += [StepIntended(at=1.0, task_id=task.id, name=step.name, key=step.key), step]
            result = TaskResult(value={"seconds": 77, "tokens": 77})
            begun.append(TaskFinished(at=2.0, task_id=task.id, result=result, seconds=seconds, tokens=tokens))
        for event in [*begun, RunFinished(at=2.0, answer="!")]:
            await journal.append(event)


def step(task_id: str, key: str, output: JsonValue = None, **used: float) -> StepFinished:
    return StepFinished.model_validate(
        {"at": 1.0, "task_id": task_id, "name": "s", "key": key * 32, "output": output} | used
    )


async def test_a_house_knows_what_its_crews_past_runs_took(tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: "There they are.")
    async with House.open(settings(tmp_path), client=model) as house:
        assert await PastWork(house.store)(CREW) == NOTHING_KNOWN
        outcome = await house.ask(CREW, "look x up")
        known = await PastWork(house.store)(CREW)
        run = summarise(await house.store.events(outcome.run_id))
    assert known.by[of_tool("look")].calls == 4, "one task, and three entries of another"
    writing = known.by[of_agent("host", "writing")]
    answer = run.task("answer")
    assert answer is not None
    assert (writing.calls, writing.tokens) == (1, answer.tokens)
    assert writing.seconds == pytest.approx(answer.seconds, rel=0.01)
    assert known.of(CREW.tasks[0], CREW).measured == 4


async def test_figures_are_the_events_own_whatever_stands_in_results(database: str) -> None:
    large = "x" * (LARGE_BYTES + 1)
    bare = Task(id="w", description="w", agent="host")
    async with open_store(database) as store:
        await done(
            store,
            [
                (
                    bare,
                    2.5,
                    30,
                    [
                        step("w", "a", {"seconds": 5}, money=0.5, tool_calls=2),
                        step("w", "b", large, money=1e-05),
                    ],
                ),
                (CREW.tasks[0], 0.0, 0, [step("one", "c", 'say "seconds":5}', seconds=1.0)]),
            ],
        )
        known = await PastWork(store)(CREW)
    assert known.by[of_agent("host", "reasoning")] == Measured(1, 2.5, 0.0, 30, 0.5, 2)
    assert known.by[of_tool("look")] == Measured(1, 0.0, 0.0, 0, 0.0, 1)


async def test_encrypted_runs_are_measured_too(tmp_path: Path) -> None:
    fernet = pytest.importorskip("cryptography.fernet")
    key = fernet.Fernet.generate_key()
    async with open_store(tmp_path / "runs.db", key=key) as store:
        await done(store, [(CREW.tasks[0], 2.5, 0, [step("one", "a", "x" * (LARGE_BYTES + 1), money=0.25)])])
        known = await PastWork(store)(CREW)
    assert known.by == {of_tool("look"): Measured(1, 2.5, 0.0, 0, 0.25, 1)}


async def test_other_crews_forks_and_runs_of_long_ago_do_not_count(database: str) -> None:
    async with open_store(database) as store:
        await done(store, [(CREW.tasks[0], 50.0, 0, [])])
        for _ in range(RUNS):
            await done(store, [(CREW.tasks[0], 1.0, 0, [])])
        await done(store, [(CREW.tasks[0], 9.0, 0, [])], crew="another")
        origin = (await store.list_runs(1))[0]
        await store.fork_run(origin.id, await store.events(origin.id))
        known = await PastWork(store)(CREW)
    assert known.by[of_tool("look")] == Measured(RUNS, 1.0, 0.0, 0, 0.0, 1)


async def test_tasks_that_were_carried_elsewhere_count_with_the_run_they_are_of(database: str) -> None:
    async with open_store(database) as store:
        await done(store, [(CREW.tasks[0], 1.0, 0, [])])
        parent = (await store.list_runs(1))[0].id
        async with await store.create_run("", "", parent=parent) as journal:
            await journal.append(TaskStarted(at=1.0, task_id="one"))
            await journal.append(step("one", "a", money=0.5))
            await journal.append(TaskFinished(at=2.0, task_id="one", result=TaskResult(), seconds=3.0))
        known = await PastWork(store)(CREW)
    assert known.by[of_tool("look")].calls == 1
    assert known.by[of_tool("look")].money == 0.5


async def test_the_store_is_not_asked_again_for_a_while(tmp_path: Path) -> None:
    now = 0.0
    async with open_store(tmp_path / "runs.db") as store:
        work = PastWork(store, clock=lambda: now)
        first, second = await asyncio.gather(work(CREW), work(CREW))
        await done(store, [(CREW.tasks[0], 1.0, 0, [])])
        assert first is second is await work(CREW)
        now = FRESH_SECONDS + 1
        assert (await work(CREW)).by


async def test_a_run_replays_the_same_whatever_has_been_measured_since(tmp_path: Path) -> None:
    async def never() -> Aptitude:
        raise AssertionError("rules need no quiz")

    async with open_store(tmp_path / "runs.db") as store:
        model = ScriptedModel(lambda _: "There they are.")

        def sitting() -> Orchestrator:
            return Orchestrator(CREW, model, never, "rules", services=Services(measures=PastWork(store)))

        for _ in range(3):
            async with await store.create_run(CREW.name, "look x up") as journal:
                await sitting().carry_out("look x up", RunContext(journal))
        first, second, third = (record.id for record in reversed(await store.list_runs()))
        for run_id in (first, second, third):
            ctx = await open_replay(store, run_id)
            with to_its_end(ctx):
                await sitting().carry_out("look x up", ctx)
        known = [summarise(await store.events(run_id)).estimate for run_id in (first, second, third)]
    calls = [Estimate.model_validate(one).tasks["one"].measured for one in known]
    assert calls == [0, 4, 8]
    assert len(model.requests) == 3, "a replay asks no model"


async def test_a_run_is_compared_with_its_estimate_task_by_task(tmp_path: Path) -> None:
    thought = estimate(CREW.tasks, CREW, Known({of_tool("look"): Measured(4, 2.0)}))
    async with House.open(settings(tmp_path), client=ScriptedModel(lambda _: "There they are.")) as house:
        outcome = await house.ask(CREW, "look x up")
        events = await house.store.events(outcome.run_id)
    table, run = compare(thought, events), summarise(events)
    assert table == compare(thought, run)
    assert [pair.task for pair in table.tasks] == ["one", "all", "answer"]
    one, taken = table.of("one"), run.task("one")
    assert one is not None
    assert taken is not None
    assert (one.thought_seconds, one.seconds, one.measured) == (2.0, taken.seconds, 4)
    assert one.factor == taken.seconds / 2.0
    assert table.whole.thought_seconds == thought.critical_seconds
    assert table.whole.tokens == run.tokens
    assert table.whole.seconds is not None
    assert table.whole.seconds <= run.seconds


def test_what_has_not_ended_has_no_figures_beside_its_estimate() -> None:
    thought = estimate(CREW.tasks, CREW)
    begun = [PlanMade(at=1.0, tasks=tuple(CREW.tasks), strategy="rules"), TaskStarted(at=1.0, task_id="one")]
    table = compare(thought, begun)
    assert (table.whole.seconds, table.whole.tokens) == (None, None)
    assert [(pair.seconds, pair.tokens, pair.factor) for pair in table.tasks] == [(None, None, None)] * 3
    planned_only = compare(thought, [begun[0], RunFinished(at=2.0, answer="!", seconds=1.0)])
    assert (planned_only.whole.seconds, planned_only.whole.tokens) == (None, None)
