"""A plan that worked is taken again without a model, and a replay reads the same examples and looks nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crewgraph import Budget, Crew, Task
from crewgraph.agents.model import Message
from crewgraph.planner.asked import Asked, Example, SoFar
from crewgraph.planner.memory.memory import PlanMemory
from crewgraph.planner.memory.recalling import examples_for
from crewgraph.planner.strategies.recalled import Recalled
from crewgraph.planner.strategies.strategy import Strategy
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.store import Store, open_store

from .plans import plan

PEN = "Compare pen and ink"
TASKS = plan(("price", {"item": "pen"}), ("price", {"item": "ink"}), request=PEN, join="compare")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "runs.db") as opened:
        yield opened


@pytest_asyncio.fixture
async def ctx(store: Store) -> AsyncIterator[RunContext]:
    async with await store.create_run("office", "?") as journal:
        yield RunContext(journal)


def asked(crew: Crew, request: str, *examples: Example, **more: object) -> Asked:
    return Asked(crew, request, examples=examples, **more)  # type: ignore[arg-type]  # fields by name


async def test_the_structure_stays_and_what_differs_is_put_in(office: Crew, ctx: RunContext) -> None:
    assert isinstance(Recalled(), Strategy)
    made = await Recalled().plan(asked(office, "compare glue and tape!", Example(PEN, TASKS)), ctx)
    assert [task.args for task in made.tasks] == [
        {"item": "glue"},
        {"item": "tape"},
        {"facts": ["$t1", "$t2"]},
        {},
    ]
    assert [task.description for task in made.tasks] == [
        "price: glue", "price: tape", "compare", "Answer the request: compare glue and tape!"
    ]  # fmt: skip
    assert made.strategy == "recalled"
    assert PEN in made.notes[0]


async def test_the_first_example_that_serves_is_taken(office: Crew, ctx: RunContext) -> None:
    other = Example("Compare pen with ink", plan(("search", {"query": "pen"})))
    made = await Recalled().plan(asked(office, "Compare tape and glue", other, Example(PEN, TASKS)), ctx)
    assert made.tasks[0].args == {"item": "tape"}


async def test_what_an_agent_is_to_do_speaks_of_the_new_request(office: Crew, ctx: RunContext) -> None:
    think = Task(id="t1", description="Say why a pen differs from ink", agent="host", depends_on=("t0",))
    looked = Task(id="t0", description="x", agent="clerk", tool="search", args={"query": PEN})
    made = await Recalled().plan(asked(office, "Compare glue and tape", Example(PEN, (looked, think))), ctx)
    assert made.tasks[1].description == "Say why a glue differs from tape"
    for vague in ({"description": "Say what pens are"}, {"expected_output": "A list of pens"}):
        tasks = (looked, think.model_copy(update=vague))
        with pytest.raises(InvalidPlan, match="speaks of the old request"):
            await Recalled().plan(asked(office, "Compare glue and tape", Example(PEN, tasks)), ctx)


async def test_what_does_not_serve_says_why(office: Crew, ctx: RunContext, store: Store) -> None:
    example = Example(PEN, TASKS)
    so_far = SoFar(TASKS, {}, {}, "it failed")
    for question, why in (
        (asked(office, PEN), "worked for a request like this one yet"),
        (asked(office, "Compare pen or ink", example), "worded otherwise"),
        (asked(office, PEN, example, so_far=so_far), "changed"),
        (asked(office, "Compare it and ink", example, history=[Message("user", "A pen?")]), "conversation"),
    ):
        with pytest.raises(InvalidPlan, match=why):
            await Recalled().plan(question, ctx)
    async with await store.create_run("office", "?") as journal:
        poor = RunContext(journal, budget=Budget(tool_calls=1))
        with pytest.raises(InvalidPlan, match="budget"):
            await Recalled().plan(asked(office, PEN, example), poor)


async def test_a_replay_reads_the_examples_and_looks_nowhere(store: Store, office: Crew) -> None:
    memory = PlanMemory()
    await memory.keep(PEN, TASKS, office, run_id="before", strategy="model", tenant="acme")
    async with await store.create_run("office", PEN, tenant="acme") as journal:
        live = RunContext(journal)
        given = await examples_for(memory, PEN, office, live)
        assert [(e.request, e.tasks) for e in given] == [(PEN, TASKS)]
        await live.flush()
    await memory.clear()
    for remembers in (memory, None):
        ctx = await open_replay(store, "last")
        assert await examples_for(remembers, PEN, office, ctx) == given
    await memory.aclose()


async def test_a_run_that_had_no_memory_is_replayed_without_one(store: Store, office: Crew) -> None:
    memory = PlanMemory()
    await memory.keep(PEN, TASKS, office, run_id="before", strategy="model")
    async with await store.create_run("office", PEN) as journal:
        live = RunContext(journal)
        assert await examples_for(None, PEN, office, live) == ()
        await live.now()
        await live.flush()
    ctx = await open_replay(store, "last")
    assert await examples_for(memory, PEN, office, ctx) == ()
    assert await ctx.now() > 0, "the rest is read back as it was"
    await memory.aclose()


async def test_a_memory_that_cannot_be_read_is_said_and_no_more(
    store: Store, office: Crew, tmp_path: Path
) -> None:
    said: list[str] = []
    memory = PlanMemory("http://127.0.0.1:9", inbox=tmp_path / "new.jsonl")
    async with await store.create_run("office", PEN) as journal:
        ctx = RunContext(journal, listeners=[lambda event: said.append(getattr(event, "text", ""))])
        assert await examples_for(memory, PEN, office, ctx) == ()
    assert any("http://127.0.0.1:9 cannot be used" in text for text in said)
    await memory.aclose()
