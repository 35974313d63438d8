"""A run to work in, and a small shop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from crewgraph import tool
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import Event, Noted
from crewgraph.runtime.store import open_store
from crewgraph.tools.tool import Tool


class Heard(list[Event]):
    """What listeners were told."""

    @property
    def notes(self) -> list[str]:
        return [e.text for e in self if isinstance(e, Noted)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def ctx(tmp_path: Path, heard: Heard) -> AsyncIterator[RunContext]:
    async with open_store(tmp_path / "runs.db") as store, await store.create_run("shop", "?") as journal:
        yield RunContext(journal, listeners=[heard.append]).for_task("t")


@pytest.fixture
def price() -> Tool:
    @tool(unit="EUR")
    def price(item: Literal["pen", "ink", "paper"], pieces: int = 1) -> float:
        """The price of an item."""
        return {"pen": 12.5, "ink": 6.0, "paper": 0.1}[item] * pieces

    return price
