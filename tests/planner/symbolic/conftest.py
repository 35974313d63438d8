"""What tests of symbolic planning share: the depot's crew, one solver for all of them, and a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from crewgraph import Agent, Crew
from crewgraph.planner.symbolic.solving.solver import Solver
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.store import open_store

from .depot import drive, load, unload, weather


@pytest.fixture(scope="session")
def depot() -> Crew:
    return Crew(
        name="depot",
        agents=[
            Agent("driver", "Load, drive and unload vans.", tools=[load, unload, drive]),
            Agent("clerk", "Tell people what was done.", tools=[weather]),
        ],
    )


@pytest.fixture(scope="session")
def needs_planners() -> None:
    if any(
        find_spec(one) is None for one in ("unified_planning", "up_fast_downward", "up_pyperplan", "gtpyhop")
    ):
        pytest.skip("the planners are not installed: pip install 'crewgraph[symbolic]'")


@pytest.fixture(scope="session")
def solver(needs_planners: None) -> Iterator[Solver]:
    made = Solver()
    yield made
    made.close()


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[RunContext]:
    async with open_store(tmp_path / "runs.db") as store, await store.create_run("depot", "?") as journal:
        yield RunContext(journal)
