"""Memories in both places that need no server, with and without vectors of meaning; a run to remember in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from crewgraph.agents.memory.memory import Meaning, Memory
from crewgraph.planner.likeness import by_words
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.store import Store, open_store

MEANING = Meaning("words-1", by_words)
"""Vectors that need no model."""

WAYS = ["memory", "folder", "memory+meaning", "folder+meaning"]
Opened = Callable[[], Memory]


def opened(way: str, folder: Path) -> Memory:
    place, _, meaning = way.partition("+")
    return Memory(folder if place == "folder" else ":memory:", MEANING if meaning else None)


@pytest_asyncio.fixture(params=WAYS)
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory]:
    made = opened(request.param, tmp_path / "memory")
    yield made
    await made.aclose()


@pytest_asyncio.fixture(params=["folder", "folder+meaning"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory]:
    """One that lies on the disk."""
    made = opened(request.param, tmp_path / "memory")
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "runs.db") as found:
        yield found


@pytest_asyncio.fixture
async def ctx(store: Store) -> AsyncIterator[RunContext]:
    async with await store.create_run("crew", "?", tenant="acme") as journal:
        yield RunContext(journal).for_task("t")
