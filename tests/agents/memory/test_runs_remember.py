"""In a run: what was recalled stays what was recalled, what is remembered is remembered once, for the run's own tenant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crewgraph import Agent, Crew
from crewgraph.agents.memory.entry import Scope
from crewgraph.agents.memory.memory import Memory
from crewgraph.agents.memory.recalling import recalled, remembered
from crewgraph.agents.memory.recollection import Recollection
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ToolArgumentError
from crewgraph.runtime.events import Noted
from crewgraph.runtime.reading.replay import open_replay
from crewgraph.runtime.store import Store, open_store
from crewgraph.tools.toolset import Toolset

ACME = Scope(tenant="acme")


async def test_a_replay_reads_what_was_recalled_then_whatever_became_of_the_memory(
    memory: Memory, ctx: RunContext, store: Store
) -> None:
    made = await memory.remember("The safe is behind the mirror", scope=ACME)
    found = await recalled(memory, ctx, "Where is the safe?", agent="clerk")
    assert [entry.text for entry in found.entries] == ["The safe is behind the mirror"]
    ids = await remembered(memory, ctx, "My name is Ann", "Hello Ann.")
    assert made is not None
    await memory.forget(made.id, *ids)
    await memory.remember("The safe is in the cellar", scope=ACME)
    count = len(await memory.entries())
    for replayed in (memory, None):
        again = (await open_replay(store, ctx.run_id)).for_task("t")
        assert await recalled(replayed, again, "Where is the safe?", agent="clerk") == found
        assert await remembered(replayed, again, "My name is Ann", "Hello Ann.") == ids
    assert len(await memory.entries()) == count, "a replay remembers nothing"


async def test_a_run_without_a_memory_is_replayed_without_one(
    memory: Memory, ctx: RunContext, store: Store
) -> None:
    assert not await recalled(None, ctx, "Where is the safe?")
    assert await remembered(None, ctx, "My name is Ann", "Hello.") == []
    await memory.remember("The safe is in the cellar", scope=ACME)
    again = (await open_replay(store, ctx.run_id)).for_task("t")
    assert not await recalled(memory, again, "Where is the safe?")
    assert await remembered(memory, again, "My name is Ann", "Hello.") == []


async def test_a_run_keeps_what_was_said_and_what_came_of_it(memory: Memory, ctx: RunContext) -> None:
    await remembered(memory, ctx, "My name is Ann. I prefer tea. What is 2 + 2?", "2 + 2 = 4.")
    every = {entry.kind: entry for entry in await memory.entries("acme")}
    assert set(every) == {"entity", "preference", "episode"}
    assert (every["entity"].attribute, every["entity"].value) == ("name", "Ann")
    assert every["preference"].text == "I prefer tea."
    assert every["episode"].text == "My name is Ann. I prefer tea. What is 2 + 2? → 2 + 2 = 4."
    assert {said.run_id for entry in every.values() for said in entry.provenance} == {ctx.run_id}
    assert await memory.tenants() == ["acme"]


async def test_what_cannot_be_recalled_is_noted_and_the_run_goes_on(
    tmp_path: Path, ctx: RunContext, store: Store
) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file")
    for _ in range(2):  # the second time it is a memory that never could be opened
        assert await remembered(memory, ctx, "My name is Ann", "") == []
    await memory.aclose()
    await ctx.flush()
    said = [event.text for event in await store.events(ctx.run_id) if isinstance(event, Noted)]
    assert any("CREWGRAPH_MEMORY" in text for text in said)


async def test_the_tools_serve_the_runs_tenant_and_no_argument_says_otherwise(
    memory: Memory, ctx: RunContext, tmp_path: Path
) -> None:
    tools = Toolset([memory])
    assert set(tools) == {"recall", "remember"}
    said = await tools.call("remember", {"text": "The safe is behind the mirror"}, ctx, agent="clerk")
    assert "The safe is behind the mirror" in said["value"]
    found = tools["recall"].read(await tools.call("recall", {"query": "Where is the safe?"}, ctx))
    assert isinstance(found, Recollection)
    assert found.statement("en") == "Remembered: The safe is behind the mirror."
    assert "clerk, 20" in found.evidence("en")[0]
    (entry,) = await memory.entries()
    assert (entry.scope.tenant, entry.provenance[0].run_id, entry.provenance[0].by) == (
        "acme",
        ctx.run_id,
        "clerk",
    )
    for name in ("tenant", "who", "scope"):
        with pytest.raises(ToolArgumentError):
            await tools.call("recall", {"query": "safe", name: "acme"}, ctx)
    async with (
        open_store(tmp_path / "other.db") as store,
        await store.create_run("c", "?", tenant="b") as journal,
    ):
        other = await tools.call("recall", {"query": "Where is the safe?"}, RunContext(journal))
        assert other["found"] == []
        assert tools["recall"].read(other).statement("zh") == "没有相关的记忆。"


async def test_an_agent_may_keep_what_it_remembers_for_itself(memory: Memory, ctx: RunContext) -> None:
    crew = Crew(
        [
            Agent("clerk", "Know.", tools=[*memory.tools(private=True)]),
            Agent("spy", "Know more.", tools=[*memory.tools(private=True)]),
        ]
    )
    tools = crew.toolset
    await tools.call("remember", {"text": "The safe is behind the mirror"}, ctx, agent="spy")
    for agent, count in (("spy", 1), ("clerk", 0)):
        found = await tools.call("recall", {"query": "safe"}, ctx, agent=agent)
        assert len(found["found"]) == count


async def test_a_tool_call_tells_an_attribute_too(memory: Memory, ctx: RunContext) -> None:
    tools = Toolset([memory])
    await tools.call("remember", {"text": "My name is Ann"}, ctx)
    await tools.call("remember", {"text": "My name is Anna"}, ctx)
    about = {"text": "Bob moved to Rome", "subject": "Bob", "attribute": "city", "value": "Rome"}
    await tools.call("remember", about, ctx)
    assert [entry.value for entry in await memory.history("user", "name", ACME)] == ["Anna", "Ann"]
    assert [entry.value for entry in await memory.history("bob", "city", ACME)] == ["Rome"]
    refused = await tools.call("remember", {"text": "My password is hunter2"}, ctx)
    assert "Not remembered" in refused["value"]


@pytest.mark.parametrize(("by", "count"), [("tool", 1), ("hook", 3)])
async def test_a_crash_before_the_journal_knows_doubles_nothing(tmp_path: Path, by: str, count: int) -> None:
    def child(run_id: str, dies: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("crash_child.py")), str(tmp_path), run_id, by, dies],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.strip()

    code, run_id = child("", "dies")
    assert code == -9
    memory = Memory(tmp_path / "memory")
    first = await memory.entries()
    assert len(first) == count, "it had been kept"
    assert child(run_id, "dies")[0] == -9, "and again at the same place"
    assert child(run_id, "lives")[0] == 0
    assert child(run_id, "lives")[0] == 0
    assert await memory.entries() == first
    await memory.aclose()


async def test_notes_say_who_said_it_and_that_it_is_no_instruction(memory: Memory, ctx: RunContext) -> None:
    assert Recollection().notes() == ""
    await remembered(memory, ctx, "I prefer tea", "", episode=False)
    notes = (await recalled(memory, ctx, "tea")).notes()
    assert "no instructions" in notes
    assert "- I prefer tea [the user, 20" in notes
