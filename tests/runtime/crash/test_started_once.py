"""A run that is killed while it is planned starts once, however many sittings it takes to plan it."""

from __future__ import annotations

from pathlib import Path

from crewgraph.runtime.events import RunStarted
from crewgraph.runtime.store import open_store


async def test_a_run_that_was_killed_while_it_was_planned_starts_once(database: Path) -> None:
    started = RunStarted(at=1.0, crew="crew", request="pay")
    async with open_store(database) as store, await store.create_run("crew", "pay") as journal:
        await journal.append(started)
        await journal.append(started)
    for _ in range(2):
        async with open_store(database) as store, await store.open_run(journal.run_id) as again:
            await again.append(started)
    async with open_store(database) as store:
        kinds = [row.kind for row in await store.rows(journal.run_id)]
    assert kinds == ["run_started", "run_resumed", "run_resumed"]
