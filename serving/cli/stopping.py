"""Owns what a user is told who stops a run: how to go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .failure import Stopped

if TYPE_CHECKING:
    from ...runtime.store import Store


@asynccontextmanager
async def telling_how_to_go_on(store: Store, run_id: str | None = None) -> AsyncIterator[None]:
    """Inside, being cancelled becomes Stopped with the words that continue the run (None: the newest one)."""
    before = None if run_id else await _newest(store)
    try:
        yield
    except asyncio.CancelledError:
        run = run_id or await _newest(store)
        if run is None or run == before:
            raise
        raise Stopped(f"stopped; continue with crewgraph resume {run}") from None


async def _newest(store: Store) -> str | None:
    runs = await store.list_runs(limit=1)
    return runs[0].id if runs else None
