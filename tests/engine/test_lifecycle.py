"""An embedded engine starts once, is shared, and ends: by command, or when its last user is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import EngineError
from crewgraph.serving.engines import Wishes, engine_client, engine_status, start_engine, stop_engine
from crewgraph.serving.engines.locks import is_locked, locked
from crewgraph.serving.engines.place import Place
from crewgraph.serving.settings import Settings

pytestmark = pytest.mark.engine

CAPITAL = ModelRequest((Message("user", "What is the capital of France?"),))

USER = """
import asyncio, signal, sys
from pathlib import Path
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

async def main():
    async with engine_client(Settings(home=Path(sys.argv[1]), model_url=None)):
        print("ready", flush=True)
        await asyncio.Event().wait()

# A test run in a shell's background hands SIGINT on as ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


@asynccontextmanager
async def another_process(settings: Settings, idle_s: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that uses the engine until it is told to end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", USER, str(settings.home)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"CREWGRAPH_ENGINE_IDLE_S": str(idle_s)},
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def gone(settings: Settings, within_s: float) -> None:
    """Wait until the server's process is no more."""
    async with asyncio.timeout(within_s), locked(Place.of(settings, "embedded").alive):
        pass


async def test_two_starters_get_one_server(home: Settings) -> None:
    async with (
        asyncio.timeout(60),
        another_process(home, 120),
        engine_client(home) as one,
        engine_client(home) as two,
    ):
        assert one.base_url == two.base_url
        assert "Paris" in (await one.complete(CAPITAL)).text
    async with asyncio.timeout(60):
        first, second = await asyncio.gather(start_engine(home), start_engine(home))
    assert first == second


async def test_two_processes_that_start_at_once_get_one_server(home: Settings) -> None:
    async def use() -> str:
        async with engine_client(home) as client:
            return client.base_url

    async with asyncio.timeout(60):
        urls, _ = await asyncio.gather(asyncio.gather(use(), use(), use()), _uses_in_a_process(home))
    state = Place.of(home, "embedded").running()
    assert state is not None
    assert {*urls, state.url} == {state.url}


async def _uses_in_a_process(settings: Settings) -> None:
    async with another_process(settings, 120):
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_an_owner_that_ends_leaves_no_orphan(home: Settings, end: signal.Signals) -> None:
    async with another_process(home, 0.3) as owner:
        assert (await engine_status(home)).running
        owner.send_signal(end)
        await owner.wait()
        await gone(home, 15)
    assert not (await engine_status(home)).running


async def test_a_server_outlives_its_owner_while_another_uses_it(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREWGRAPH_ENGINE_IDLE_S", "0.3")
    async with another_process(home, 0.3) as owner, engine_client(home) as client:
        owner.kill()
        await owner.wait()
        with pytest.raises(TimeoutError):
            await gone(home, 1.0)
        assert "Paris" in (await client.complete(CAPITAL)).text
    await gone(home, 15)


async def test_a_started_engine_stays_until_it_is_stopped(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREWGRAPH_ENGINE_IDLE_S", "0.1")
    state = await start_engine(home)
    with pytest.raises(TimeoutError):
        await gone(home, 1.0)
    status = await engine_status(home)
    assert (status.running, status.kept, status.pid, status.problem) == (True, True, state.pid, None)
    async with engine_client(home) as client:
        assert client.base_url == state.url
    assert await stop_engine(home) == state
    assert not is_locked(Place.of(home, "embedded").alive)
    assert await stop_engine(home) is None


async def test_a_killed_server_is_replaced(home: Settings) -> None:
    async with engine_client(home) as client:
        first = client.base_url
        state = Place.of(home, "embedded").running()
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)
        await gone(home, 15)
        assert not (await engine_status(home)).running
        with pytest.raises(EngineError):
            await client.complete(CAPITAL)
    async with engine_client(home) as client:
        assert client.base_url != first
        assert "Paris" in (await client.complete(CAPITAL)).text


async def test_a_starter_that_is_killed_leaves_nothing_in_the_way(home: Settings) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", USER, str(home.home))
    while not is_locked(Place.of(home, "embedded").alive):  # noqa: ASYNC110 (nothing announces a lock)
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    async with asyncio.timeout(60), engine_client(home) as client:
        assert "Paris" in (await client.complete(CAPITAL)).text


async def test_a_port_in_use_is_one_clear_sentence(home: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=rf"^Port {port} cannot be used \(address already in use\)"):
            await start_engine(home, port=port)
    state = await start_engine(home, port=port)
    assert state.port == port
    with pytest.raises(EngineError, match=f"already runs on port {port}"):
        await start_engine(home, port=1)


async def test_an_engine_that_cannot_load_its_model_says_so(home: Settings) -> None:
    broken = home.home / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing else")
    with pytest.raises(EngineError, match=r"did not start: it .*its log is"):
        await start_engine(home, wishes=Wishes(model=str(broken)))
    assert not is_locked(Place.of(home, "embedded").alive)
    assert not is_locked(Place.of(home, "embedded").child)
