"""Shared by the runtime tests: a store on disk, effects that count themselves, a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from crewgraph.runtime.events import Answer, Event
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.journalling.row import EventRow
from crewgraph.runtime.store import Store, open_store

from ..clock import run_on_virtual_clock


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    async with open_store(database) as opened:
        yield opened


class Tape:
    """A store in memory: a sink whose rows can be cut anywhere, as a crash would."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.put_rows: Callable[[EventRow], None] = self.rows.append
        self.crowded = False

    def journal(self, upto: int | None = None) -> Journal:
        if upto is not None:
            self.rows = self.rows[:upto]
            self.put_rows = self.rows.append
        return Journal("r-test", list(self.rows), sink=self)

    def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Awaitable[None] | None:
        self.put_rows(row)
        return asyncio.sleep(0) if wait else None

    async def flush(self) -> None:
        pass

    async def answers(self) -> list[tuple[str, float, Answer]]:
        return []

    async def release(self) -> None:
        pass


@pytest.fixture(scope="session")
def new_tape() -> type[Tape]:
    return Tape


class Effects:
    """Makes step functions, and remembers which of them were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def giving(self, value: Any, name: str = "") -> Callable[[], Awaitable[Any]]:
        async def effect() -> Any:
            self.calls.append(name or str(value))
            return value

        return effect

    def failing(self, error: Exception, name: str = "") -> Callable[[], Awaitable[Any]]:
        async def effect() -> Any:
            self.calls.append(name or str(error))
            raise error

        return effect


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture(scope="session")
def virtual() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on a virtual clock and gives its result."""

    return run_on_virtual_clock
