"""Many threads read at once, as on a machine with many cores, and none takes another's connection away."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crewgraph.runtime.store import open_store

THREADS = 20


async def test_reading_from_many_threads_is_safe(database: Path) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    async with open_store(database) as store:
        for _ in range(100):
            async with await store.create_run("c", "r"):
                pass
        found = await asyncio.gather(*(store.list_runs(100) for _ in range(300)))
    assert {len(runs) for runs in found} == {100}
