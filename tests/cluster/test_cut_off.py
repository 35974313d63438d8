"""A worker that lives but has lost its lock stops before another effect, and doubles nothing when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..netns import Cable, cannot
from ..postgres import PostgresServer
from .conftest import Hire, Worker, World, fan, world_on
from .test_dead_workers import busy_one, nothing_twice


async def test_a_worker_whose_lock_session_ends_stops_and_says_so(world: World, hire: Hire) -> None:
    workers = await asyncio.to_thread(hire, world.url, count=2)
    runs = [await world.submit(fan(0.1)) for _ in range(6)]
    victim = await busy_one(world, workers)
    await world.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        f"{victim.name} listens",
    )
    assert "cut off" in await asyncio.to_thread(victim.line)
    assert await asyncio.to_thread(victim.process.wait, 30) == 3
    await nothing_twice(world, runs)


async def test_workers_stop_when_postgresql_goes_and_new_ones_go_on(
    postgres_alone: PostgresServer, tmp_path: Path, hire: Hire
) -> None:
    (tmp_path / "later").mkdir()
    async with world_on(postgres_alone.url, tmp_path) as world:
        workers = await asyncio.to_thread(hire, world.url, count=2)
        runs = [await world.submit(fan(0.1)) for _ in range(3)]
        await busy_one(world, workers)
    await asyncio.to_thread(postgres_alone.restart, "immediate")
    for worker in workers:
        assert await asyncio.to_thread(worker.process.wait, 30) == 3
    effects = world.effects
    await asyncio.to_thread(hire, postgres_alone.url)
    async with world_on(postgres_alone.url, tmp_path / "later") as world:
        world.effects = effects
        await nothing_twice(world, runs)


@pytest.fixture
def cable() -> Iterator[Cable]:
    reason = cannot()
    if reason:
        pytest.skip(f"no worker can be cut off here: {reason}")
    with Cable() as made:
        yield made


@pytest.fixture
def far_server() -> Iterator[PostgresServer]:
    server = PostgresServer(listen="*")
    server.start()
    yield server
    server.remove()


async def test_a_worker_that_is_cut_off_and_healed_doubles_nothing(
    far_server: PostgresServer, cable: Cable, tmp_path: Path, hire: Hire
) -> None:
    async with world_on(far_server.url, tmp_path) as world:
        [near] = await asyncio.to_thread(hire, world.url)
        [far] = await asyncio.to_thread(hire, world.url.replace("127.0.0.1", cable.near), within=cable.within)
        runs = [await world.submit(fan(0.1)) for _ in range(5)]
        await busy_one(world, [far])
        cable.cut()
        while await world.held(far):  # noqa: ASYNC110 - the database knows, and tells nobody
            await asyncio.sleep(0.02)
        done = len(by(far, world))
        await asyncio.sleep(1.0)
        assert len(by(far, world)) == done, "it went on although its work was taken over"
        cable.mend()
        await nothing_twice(world, runs)
        assert "cut off" in await asyncio.to_thread(far.line)
        assert by(near, world)


def by(worker: Worker, world: World) -> list[str]:
    """The effects that a worker has had."""
    return [key for _, key, pid in world.effects.rows() if pid == worker.process.pid]
