"""A tool that keeps something learns for whom it is called, and nobody who writes its arguments can say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import tool
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError
from crewgraph.runtime.store import open_store
from crewgraph.tools.caller import NOBODY, Caller
from crewgraph.tools.tool import Tool
from crewgraph.tools.toolset import Toolset


def made(said: list[Caller]) -> Tool:
    @tool
    def look(what: str, who: Caller) -> str:
        """Look for something."""
        said.append(who)
        return what

    return look


async def test_it_gets_run_task_agent_tenant_and_conversation(tmp_path: Path) -> None:
    said: list[Caller] = []
    async with open_store(tmp_path / "runs.db") as store:
        thread = await store.create_thread()
        async with await store.create_run("crew", "?", tenant="acme", thread_id=thread.id) as journal:
            ctx = RunContext(journal).for_task("t")
            await Toolset([made(said)]).call("look", {"what": "pens"}, ctx, agent="clerk")
            assert said == [Caller(journal.run_id, "t", "clerk", "acme", thread.id)]


async def test_outside_of_a_run_it_is_nobody() -> None:
    said: list[Caller] = []
    await made(said).call({"what": "pens"})
    assert said == [NOBODY]


async def test_the_caller_is_no_argument() -> None:
    look = made([])
    assert set(look.parameters["properties"]) == {"what"}
    with pytest.raises(ToolArgumentError):
        await look.call({"what": "pens", "who": {"tenant": "other"}})
    with pytest.raises(InvalidCrew, match="takes the caller as a and b"):

        @tool
        def two(a: Caller, b: Caller) -> str:
            """Look."""
            return ""


def test_what_brings_several_tools_is_given_whole() -> None:
    class Shelf:
        def __init__(self) -> None:
            self.look = made([])

        def tools(self) -> list[Tool]:
            return [self.look]

    shelf = Shelf()
    assert list(Toolset([shelf, *shelf.tools()])) == ["look"]
