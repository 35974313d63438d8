"""Living workers watch each other in a ring: PostgreSQL wakes the neighbour of one that dies, and nobody polls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from crewgraph.runtime.cluster.members import watch as watching
from crewgraph.runtime.cluster.members.bus import Bus
from crewgraph.runtime.cluster.members.link import LOCKS
from crewgraph.runtime.cluster.members.watch import Watch

from ..postgres import execute


class Member:
    """A worker process as the others see it: a lock, and a watch."""

    def __init__(self, url: str, number: int) -> None:
        self.url = url
        self.number = number
        self.looked = 0
        self._looking = asyncio.Condition()
        self.bus: Bus
        self.watch: Watch

    async def join(self) -> Member:
        bus = await Bus.open(self.url, f"member {self.number}", lock=self.number)
        assert bus is not None
        self.bus = bus
        self.watch = await Watch.open(self.url, f"member {self.number}", bus, self.number, self._take_over)
        bus.tell("joined", str(self.number))
        await bus.flush()
        return self

    async def die(self) -> None:
        """All its sessions end at once, as a killed process's do."""
        sessions = f"application_name LIKE 'member {self.number} %' AND datname = current_database()"
        await asyncio.to_thread(
            execute, self.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {sessions}"
        )
        await self.bus.lost.wait()

    async def leave(self) -> None:
        await self.watch.aclose()
        await self.bus.aclose()

    async def has_looked(self, times: int) -> None:
        async with asyncio.timeout(20), self._looking:
            await self._looking.wait_for(lambda: self.looked >= times)

    async def _take_over(self, _: Watch) -> int:
        async with self._looking:
            self.looked += 1
            self._looking.notify_all()
        return 0


@pytest.fixture
async def ring(postgres_url: str) -> AsyncIterator[list[Member]]:
    """Three that have looked for what earlier ones left, and watch each other: 10, 20, 30, 10."""
    members = [await Member(postgres_url, number).join() for number in (10, 20, 30)]
    for member in members:
        await member.has_looked(1)
    await watched(postgres_url, {10, 20, 30})
    yield members
    for member in members:
        await member.leave()


async def watched(url: str, numbers: set[int]) -> None:
    """Wait until somebody waits for the lock of each of these."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(20):
            asked = "SELECT objid::int FROM pg_locks WHERE classid = $1::bigint::oid AND objsubid = 2 AND NOT granted"
            while {row[0] for row in await connection.fetch(asked, LOCKS)} != numbers:  # noqa: ASYNC110 - pg_locks tells nobody
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def test_the_neighbour_of_a_dead_worker_is_woken_and_nobody_else(ring: list[Member]) -> None:
    first, second, third = ring
    await second.die()
    await first.has_looked(2)
    await watched(first.url, {10, 30})
    assert (first.looked, third.looked) == (2, 1)


async def test_the_ring_closes_again_and_again(ring: list[Member]) -> None:
    first, second, third = ring
    await third.die()
    await second.has_looked(2)
    await watched(first.url, {10, 20})
    await first.die()
    await second.has_looked(3)


async def test_one_that_joins_is_watched(ring: list[Member]) -> None:
    late = await Member(ring[0].url, 25).join()
    await watched(late.url, {10, 20, 25, 30})
    await late.die()
    await ring[1].has_looked(2)
    await late.leave()


async def test_two_neighbours_that_die_at_once_are_both_looked_after(ring: list[Member]) -> None:
    first, second, third = ring
    await asyncio.gather(second.die(), third.die())
    await first.has_looked(2)
    await first.bus.flush()
    assert not first.bus.lost.is_set()


async def test_work_taken_in_the_last_moment_is_found_by_a_second_look(
    ring: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_SECOND_LOOK", 0.2)
    first, second, _ = ring
    await second.die()
    await first.has_looked(3)


async def test_a_lock_that_another_holds_is_not_had_twice(ring: list[Member]) -> None:
    assert await Bus.open(ring[0].url, "another", lock=10) is None


async def test_everybody_hears_what_one_says(ring: list[Member]) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    for member in ring:
        member.bus.on("done", heard.put_nowait)
    ring[0].bus.tell("done", "a workflow")
    async with asyncio.timeout(20):
        assert [await heard.get() for _ in ring] == ["a workflow"] * 3
