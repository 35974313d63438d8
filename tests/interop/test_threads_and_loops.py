"""A client's connections live on one event loop; frameworks call from threads and loops of their own."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from crewgraph.agents.interop import CallScope
from crewgraph.agents.interop.loops import ClientLoop
from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import EngineError, InvalidRequest, ModelError

from .scripted import Script, Talker

HELLO = ModelRequest((Message("user", "hello"),))


async def test_threads_ask_on_the_loop_that_the_client_was_given_on() -> None:
    client = Script("one", "two words")
    home = ClientLoop(client)
    assert (await asyncio.to_thread(home.complete_now, HELLO)).text == "one"
    deltas = await asyncio.to_thread(lambda: list(home.stream_now(HELLO)))
    assert [delta.text for delta in deltas] == ["two", " words", ""]
    assert client.loops == {asyncio.get_running_loop()}


def test_without_any_loop_the_client_gets_one_of_its_own_and_is_closed_on_it() -> None:
    client = Script("one", "two")
    home = ClientLoop(client)
    assert [home.complete_now(HELLO).text, home.complete_now(HELLO).text] == ["one", "two"]
    assert len(client.loops) == 1
    home.close()
    assert client.closed
    assert not any(thread.name == "crewgraph model client" for thread in threading.enumerate())


def test_a_loop_that_is_forgotten_ends_too() -> None:
    client = Script("one")
    assert ClientLoop(client).complete_now(HELLO).text == "one"
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "crewgraph model client":
            thread.join(30)
    assert client.closed


async def test_another_loop_asks_and_streams_on_the_clients_own() -> None:
    client = Script("one", "two words")
    home = ClientLoop(client)

    async def elsewhere() -> list[str]:
        whole = await home.complete(HELLO)
        return [whole.text, *[delta.text async for delta in home.stream(HELLO)]]

    assert await asyncio.to_thread(asyncio.run, elsewhere()) == ["one", "two", " words", ""]
    assert client.loops == {asyncio.get_running_loop()}


async def test_errors_arrive_where_the_call_was_made() -> None:
    class Failing(Script):
        async def complete(self, request: ModelRequest) -> object:  # type: ignore[override]  # it only raises
            raise ModelError("no use")

    home = ClientLoop(Failing())
    with pytest.raises(ModelError, match="no use"):
        await asyncio.to_thread(home.complete_now, HELLO)
    with pytest.raises(ModelError, match="no use"):
        await asyncio.to_thread(lambda: list(home.stream_now(HELLO)))


async def test_waiting_on_the_clients_own_loop_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"use the framework's async door, or .* asyncio\.to_thread"):
        ClientLoop(Script("never")).complete_now(HELLO)


async def test_a_loop_that_is_blocked_by_who_waits_for_it_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crewgraph.agents.interop.loops.STANDSTILL_S", 0.1)
    home = ClientLoop(Script("never"))
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(EngineError, match=r"has not turned .* asyncio\.to_thread"),
    ):
        pool.submit(home.complete_now, HELLO).result()


def test_a_client_whose_loop_has_ended_says_so() -> None:
    async def make() -> ClientLoop:
        return ClientLoop(Script("never"))

    home = asyncio.run(make())
    with pytest.raises(InvalidRequest, match="has ended; make the client and its adapter inside"):
        home.complete_now(HELLO)


async def test_closing_a_threads_stream_closes_the_clients() -> None:
    client = Talker()
    home = ClientLoop(client)

    def take_three() -> list[str]:
        with closing(home.stream_now(HELLO)) as deltas:
            return [next(deltas).text for _ in range(3)]

    assert await asyncio.to_thread(take_three) == ["and "] * 3
    await client.stopped.wait()
    assert client.talking == 0


async def test_cancelling_another_loops_call_ends_it() -> None:
    client = Talker()
    home = ClientLoop(client)

    async def elsewhere() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await home.complete(HELLO)

    await asyncio.to_thread(asyncio.run, elsewhere())
    await client.stopped.wait()
    assert client.talking == 0


async def test_a_scope_ends_the_calls_of_the_threads_that_work_in_it() -> None:
    client = Talker()
    home = ClientLoop(client)
    ended: list[BaseException] = []

    def work() -> None:
        for _ in range(2):
            try:
                home.complete_now(HELLO)
            except asyncio.CancelledError as error:
                ended.append(error)

    with CallScope():
        thread = asyncio.create_task(asyncio.to_thread(work))
        await client.begun.wait()
    await thread
    assert len(ended) == 2
    assert client.calls == 1, "the second was refused before it began"
    await client.stopped.wait()
    assert client.talking == 0


async def test_calls_outside_of_a_scope_are_not_ended_by_it() -> None:
    client = Script("outside")
    home = ClientLoop(client)
    with CallScope() as scope:
        scope.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.to_thread(home.complete_now, HELLO)
    assert (await asyncio.to_thread(home.complete_now, HELLO)).text == "outside"
