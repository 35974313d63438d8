"""What agents of a crew have in common stands first in their prompts, byte for byte, so that an engine computes it once."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph import Agent, Crew, tool
from crewgraph.agents.architectures.react import React
from crewgraph.agents.calls import hints_of
from crewgraph.agents.desk import Desk
from crewgraph.agents.model import Hints, Message, ModelRequest
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.writing import Brief, write
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.graph import Task, TaskGraph, TaskResult
from crewgraph.runtime.scheduler import execute
from crewgraph.runtime.store import open_store

RULES = "This is the house of Ada & Co. Speak plainly. Never promise a date."
TASK = Task(id="t", description="greet")


@tool
def greet(who: str) -> str:
    """Greet somebody."""
    return f"Hello {who}"


@tool
def count(word: str) -> int:
    """Count the letters of a word."""
    return len(word)


@tool
def shout(word: str) -> str:
    """Say a word loudly."""
    return word.upper()


def crew_of(*tools: object) -> Crew:
    ann = Agent("ann", "greets", tools=[count])
    ben = Agent("ben", "shouts", tools=[shout], briefing="Ben has rules of his own.")
    return Crew([ann, Agent("cid", "writes"), ben], tools=tools, briefing=RULES)


def test_the_crew_s_briefing_is_what_every_agent_is_told_first() -> None:
    ann, cid, ben = crew_of().agents
    assert ann.system().content.startswith(f"{RULES}\n\nYou are the ann.")
    assert cid.system().content.startswith(f"{RULES}\n\nYou are the cid.")
    assert ben.system().content.startswith("Ben has rules of his own.\n\n")
    assert Agent("ann", "greets").system().content == "You are the ann. Your goal: greets"


async def test_reasoning_agents_share_the_briefing_and_the_crew_s_tools(ctx: RunContext) -> None:
    crew = crew_of(greet)
    model = ScriptedModel(lambda _: '{"tool": "finish"}')
    for agent in crew.agents[:2]:
        desk = Desk(agent, crew, model, ctx, TASK, Brief("greet Bob", "en"), crew.tools_of(agent))
        await React().gather(desk)
    first, second = (request.messages[0].content for request in model.requests)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    shared = "".join(one for one, _ in alike)
    assert RULES in shared
    assert "greet(who): Greet somebody." in shared
    assert "count" not in shared
    assert first.index("count(word)") < first.index("You are the ann.")


async def test_the_same_call_is_the_same_bytes_whenever_it_is_made(ctx: RunContext) -> None:
    model = ScriptedModel(["Hello.", "Hello again."])
    for name in ("t", "u"):
        await write(crew_of().agents[0], TASK, Brief("greet", "en"), model, ctx.for_task(name))
    first, second = model.requests
    assert first.identity() == second.identity()


async def test_an_agent_s_adapter_goes_with_its_calls(ctx: RunContext) -> None:
    model = ScriptedModel(["Hello."])
    agent = Agent("ann", "greets", model="base", adapter="polite")
    await write(agent, TASK, Brief("greet", "en"), model, ctx)
    assert (model.requests[0].model, model.requests[0].adapter) == ("base", "polite")


async def test_an_engine_is_told_which_run_a_call_is_of_and_how_much_of_it_is_left(ctx: RunContext) -> None:
    tasks = [
        Task(id="a", description="a", expected_seconds=2),
        Task(id="b", description="b", depends_on=("a",), expected_seconds=0.5),
        Task(id="c", description="c"),
    ]
    crew = crew_of()
    model = ScriptedModel(lambda _: "Done.")

    async def worker(task: Task, ctx: RunContext) -> TaskResult:
        return TaskResult(text=await write(crew.agents[0], task, Brief(task.id, "en"), model, ctx))

    await execute(TaskGraph(tasks), worker, ctx, limit=1)
    hints = {request.messages[-1].content: request.hints for request in model.requests}
    assert {(hint.run, hint.expected_tokens) for hint in hints.values() if hint} == {(ctx.run_id, 256)}
    left = {name: hint.priority for name, hint in hints.items() if hint}
    assert (left["a"] - left["c"], left["c"] - left["b"]) == (20, 10), "a tenth of a second is one"


async def test_of_two_runs_with_as_much_left_the_older_goes_first(tmp_path: Path) -> None:
    async with (
        open_store(tmp_path / "runs.db") as store,
        await store.create_run("shop", "older") as older,
        await store.create_run("shop", "newer") as newer,
    ):
        request = ModelRequest((Message("user", "hi"),))
        first, second = (hints_of(RunContext(journal), request) for journal in (older, newer))
        assert older.record
        assert newer.record
        apart = newer.record.created - older.record.created
    assert second.priority - first.priority == pytest.approx(20 * apart, abs=1)


@given(
    st.one_of(st.none(), st.builds(Hints, run=st.text(), priority=st.integers(), tenant=st.text())),
    st.floats(0),
)
def test_neither_hints_nor_time_limits_are_part_of_what_a_call_is(
    hints: Hints | None, seconds: float
) -> None:
    plain = ModelRequest((Message("user", "hi"),))
    assert ModelRequest(plain.messages, timeout_s=seconds, hints=hints).identity() == plain.identity()


def test_the_keys_of_earlier_releases_stay() -> None:
    request = ModelRequest(
        (Message("system", "Be brief."), Message("user", "hi")), choices=("a", "b"), stop=("\n",)
    )
    assert request.identity() == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "model": None,
        "max_tokens": 256,
        "temperature": 0.0,
        "seed": 0,
        "stop": ["\n"],
        "schema": None,
        "choices": ["a", "b"],
    }
