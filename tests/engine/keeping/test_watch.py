"""An engine that dies or freezes is started again behind the same URL; one that cannot be kept up is given up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from crewgraph.serving.engines import (
    EngineStatus,
    Patience,
    ServerState,
    Wishes,
    engine_client,
    engine_status,
    start_engine,
    stop_engine,
)
from crewgraph.serving.engines.keeping.log import tail
from crewgraph.serving.engines.keeping.probe import healthy
from crewgraph.serving.engines.locks import is_locked, locked
from crewgraph.serving.engines.manager import require_answers
from crewgraph.serving.engines.place import Place
from crewgraph.serving.settings import Settings

pytestmark = pytest.mark.engine

QUICK = Patience(check_s=0.2, answer_s=0.5, silent_s=1.5, restarts=2, first_pause_s=0.05)


def child_of(settings: Settings) -> int:
    return int(Place.of(settings, "embedded").child.read_text())


async def until(settings: Settings, true: Callable[[EngineStatus], bool]) -> EngineStatus:
    """The first status of which that is true; nothing announces a status to its readers."""
    async with asyncio.timeout(120):
        while not true(status := await engine_status(settings)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return status


async def freeze(pid: int) -> None:
    """Stop a process, and wait until all of it stands still."""
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(30):
        while any(stat.read_text().rpartition(") ")[2][0] not in "tT" for stat in stats_of(pid)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def stats_of(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*/stat"))


async def answer(state: ServerState) -> str:
    body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{state.url}/chat/completions", json=body) as response,
    ):
        text: str = (await response.json())["choices"][0]["message"]["content"]
        return text


async def ended(pid: int) -> None:
    async with asyncio.timeout(30):
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110, ASYNC240 (it is not our child)
            await asyncio.sleep(0.02)


async def test_a_killed_engine_answers_again_at_the_same_url(home: Settings) -> None:
    state = await start_engine(home, patience=QUICK)
    first = child_of(home)
    os.kill(first, signal.SIGKILL)
    status = await until(home, lambda s: s.restarts == 1 and not s.problem)
    assert (status.url, status.pid, status.kept) == (state.url, state.pid, True)
    assert status.fault == "it was killed by SIGKILL"
    assert child_of(home) != first
    assert "Paris" in await answer(state)
    log = "\n".join(tail(Place.of(home, "embedded").log, 100))
    assert "it was killed by SIGKILL; restart 1 of 2" in log
    assert log.count("the engine answers at") == 2, "the log goes on over a restart"


async def test_a_frozen_engine_is_replaced(home: Settings) -> None:
    state = await start_engine(home, patience=QUICK)
    frozen = child_of(home)
    await freeze(frozen)
    status = await until(home, lambda s: s.restarts == 1 and not s.problem)
    assert status.fault.startswith("it had not answered for")
    await ended(frozen)
    assert "Paris" in await answer(state)


async def test_a_busy_engine_is_not_taken_for_a_frozen_one(home: Settings) -> None:
    """More streams than seats, each held open: its health is asked for all the while."""
    state = await start_engine(home, patience=QUICK, wishes=Wishes(slots=2, threads=1))
    body = {
        "messages": [{"role": "user", "content": "A very long story."}],
        "max_tokens": 3000,
        "temperature": 1.5,
        "stream": True,
    }
    heard = asyncio.Event()

    async def read(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{state.url}/chat/completions", json=body) as response:
            async for _ in response.content.iter_any():
                heard.set()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        readers = [asyncio.create_task(read(session)) for _ in range(64)]
        await heard.wait()
        status = await until(home, lambda s: (s.load.waiting or 0) > 30)
        assert status.load.running == 2
        await asyncio.sleep(3 * QUICK.silent_s)
        now = Place.of(home, "embedded").running()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    assert now is not None
    assert (now.restarts, now.stage) == (0, "")


async def test_an_engine_that_keeps_dying_is_given_up_and_says_so(home: Settings) -> None:
    await start_engine(home, patience=QUICK)
    place = Place.of(home, "embedded")
    for _ in range(3):
        os.kill(child_of(home), signal.SIGKILL)
        before = await until(home, lambda s: bool(s.fault) or not s.running)
        await until(home, lambda s, n=before.restarts: not s.running or (s.restarts >= n and not s.problem))  # type: ignore[misc]  # a default binds n
    status = await until(home, lambda s: not s.running)
    assert status.problem is not None
    assert "was given up after 2 restarts, because it was killed by SIGKILL" in status.problem
    assert "crewgraph engine logs embedded" in status.problem
    assert "it is not started again" in "\n".join(tail(place.log, 5))
    assert not is_locked(place.child)
    state = await start_engine(home)
    assert "Paris" in await answer(state)
    assert (await engine_status(home)).problem is None
    await stop_engine(home)
    assert (await engine_status(home)).problem is None, "an orderly end leaves no complaint"


async def test_whoever_comes_during_a_restart_waits_for_it(home: Settings) -> None:
    state = await start_engine(home, patience=QUICK)
    place = Place.of(home, "embedded")
    os.kill(child_of(home), signal.SIGKILL)
    await until(home, lambda s: bool(s.stage) or s.restarts == 1)
    await require_answers(place, state, QUICK)
    assert await healthy(state.port, 5)


@asynccontextmanager
async def killed_daemon(settings: Settings) -> AsyncIterator[int]:
    """The pid of an engine's process whose daemon was killed."""
    state = await start_engine(settings, patience=QUICK)
    child = child_of(settings)
    os.kill(state.pid, signal.SIGKILL)
    await ended(state.pid)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


async def test_an_engine_does_not_outlive_its_daemon(home: Settings) -> None:
    async with killed_daemon(home) as child:
        await ended(child)
    assert not is_locked(Place.of(home, "embedded").child)


async def test_a_frozen_engine_that_a_dead_daemon_left_behind_is_removed_by_the_next(home: Settings) -> None:
    state = await start_engine(home, patience=QUICK)
    child = child_of(home)
    await freeze(child)
    os.kill(state.pid, signal.SIGKILL)
    await ended(state.pid)
    assert is_locked(Place.of(home, "embedded").child)
    async with engine_client(home):
        await ended(child)
    assert f"removed process {child}" in "\n".join(tail(Place.of(home, "embedded").log, 50))


async def test_a_frozen_engine_can_be_stopped(home: Settings) -> None:
    await start_engine(home)
    child = child_of(home)
    await freeze(child)
    async with asyncio.timeout(30):
        assert await stop_engine(home) is not None
    await ended(child)
    async with asyncio.timeout(5), locked(Place.of(home, "embedded").alive):
        pass


async def test_a_state_file_of_an_earlier_release_is_understood(home: Settings) -> None:
    place = Place.of(home, "embedded")
    place.folder.mkdir(parents=True, exist_ok=True)
    old = {"pid": 1, "port": 2, "started": 3.0, "ready_s": 4.0, "model": "m"}
    place.state.write_text(json.dumps(old))
    found = place.last()
    assert found is not None
    assert (found.port, found.adapters, found.restarts) == (2, (), 0)
