"""Stores of every kind: the same promises are held against each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from crewgraph.runtime.store import open_store
from crewgraph.runtime.store.store import SqlStore

Opener = Callable[..., Awaitable[SqlStore]]


@pytest.fixture(params=["sqlite", "sqlite+key", "postgres", "postgres+key"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def key(kind: str) -> bytes | None:
    return Fernet.generate_key() if kind.endswith("+key") else None


@pytest.fixture
def where(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind.startswith("postgres"):
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "runs.db")


@pytest.fixture
async def opener(where: str, key: bytes | None) -> AsyncIterator[Opener]:
    """Opens the database as another process would; all are closed in the end."""
    opened: list[SqlStore] = []

    async def opening(**options: Any) -> SqlStore:
        store = await open_store(where, **{"key": key, **options})
        opened.append(store)
        return store

    yield opening
    for store in opened:
        await store.aclose()


@pytest.fixture
async def any_store(opener: Opener) -> SqlStore:
    return await opener()
