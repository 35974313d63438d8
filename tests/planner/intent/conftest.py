"""Crews of several sorts: without tools, with documents, with figures and deeds, with an author's own tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crewgraph import Agent, Crew, Documents, Task
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.store import Store, open_store

HOST = Agent("host", "Answer in plain words.")


@pytest.fixture(scope="session")
def talker() -> Crew:
    return Crew(name="talker", agents=[HOST])


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Crew:
    folder = tmp_path_factory.mktemp("handbook")
    (folder / "machine.md").write_text("# Machine\n\nDescale it every two months.\n", "utf-8")
    return Crew(
        name="library", agents=[Agent("clerk", "Find passages.", tools=Documents(folder).tools()), HOST]
    )


@pytest.fixture(scope="session")
def authored() -> Crew:
    return Crew(name="authored", agents=[HOST], tasks=[Task(id="say", description="Say it.", agent="host")])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "runs.db") as opened:
        yield opened


@pytest.fixture
async def ctx(store: Store) -> AsyncIterator[RunContext]:
    async with await store.create_run("shop", "?") as journal:
        yield RunContext(journal)
