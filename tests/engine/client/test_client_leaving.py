"""Who leaves frees the engine: leaving a stream, cancelling a call or running out of time closes the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from crewgraph.agents.model import ModelRequest
from crewgraph.runtime.errors import EngineError, EngineTimeout, EngineUnreachable, StreamBroken
from crewgraph.serving.client import HttpModelClient

from .protocol_fake import QUESTION, STREAM_HEAD, ProtocolFake, RawFake, chunk, event, sends

Raw = Callable[..., Awaitable[RawFake]]


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _waits_to_be_left(fake: ProtocolFake, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(event("Once"))
    try:
        await asyncio.Event().wait()
    finally:
        fake.gone.set()
    return response


async def test_leaving_a_stream_closes_the_connection(fake: ProtocolFake) -> None:
    fake.acts = [lambda request: _waits_to_be_left(fake, request)]
    async with fake.client() as client:
        stream = client.stream(ModelRequest(QUESTION))
        assert (await anext(stream)).text == "Once"
        await stream.aclose()
        async with asyncio.timeout(5):
            await fake.gone.wait()


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_a_call_closes_the_connection(fake: ProtocolFake, streamed: bool) -> None:
    begun = asyncio.Event()

    async def act(request: web.Request) -> web.StreamResponse:
        begun.set()
        return await _waits_to_be_left(fake, request)

    async def call() -> None:
        if streamed:
            async for _ in client.stream(ModelRequest(QUESTION)):
                pass
        else:
            await client.complete(ModelRequest(QUESTION))

    fake.acts = [act]
    async with fake.client() as client:
        task = asyncio.create_task(call())
        async with asyncio.timeout(5):
            await begun.wait()
            task.cancel()
            await fake.gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_engine_that_falls_silent_is_given_up(fake: ProtocolFake) -> None:
    fake.acts = [silent]
    async with fake.client(read_timeout_s=0.2) as client:
        with pytest.raises(EngineUnreachable, match=r"sent nothing for 0\.2 s"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 1


async def test_an_engine_that_falls_silent_in_the_middle_broke_its_stream(fake: ProtocolFake) -> None:
    fake.acts = [lambda request: _waits_to_be_left(fake, request)]
    async with fake.client(read_timeout_s=0.2) as client:
        with pytest.raises(StreamBroken, match="sent nothing"):
            [delta async for delta in client.stream(ModelRequest(QUESTION))]
        async with asyncio.timeout(5):
            await fake.gone.wait()


async def test_a_stream_that_keeps_coming_is_not_silent(raw: Raw) -> None:
    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for _ in range(8):
            await asyncio.sleep(0.1)
            writer.write(chunk(event("x")))
        writer.write(chunk(event(finish="stop")) + b"0\r\n\r\n")

    server = await raw(play)
    async with HttpModelClient(server.url, engine_kind="vllm", model="small", read_timeout_s=0.6) as client:
        deltas = [delta.text async for delta in client.stream(ModelRequest(QUESTION))]
    assert "".join(deltas) == "x" * 8


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_time_of_a_call_bounds_the_whole_of_it(fake: ProtocolFake, streamed: bool) -> None:
    request = ModelRequest(QUESTION, timeout_s=0.3)

    async def call() -> None:
        if streamed:
            async for _ in client.stream(request):
                pass
        else:
            await client.complete(request)

    fake.acts = [lambda request: _waits_to_be_left(fake, request)]
    async with fake.client() as client:
        with pytest.raises(EngineTimeout, match="did not answer in full"):
            await call()
        async with asyncio.timeout(5):
            await fake.gone.wait()


async def test_the_time_of_a_call_is_over_for_a_slow_reader_too(raw: Raw) -> None:
    server = await raw(sends(STREAM_HEAD, chunk(event("x"))))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        stream = client.stream(ModelRequest(QUESTION, timeout_s=0.3))
        assert (await anext(stream)).text == "x"
        async with asyncio.timeout(5):
            await server.closed.wait()  # while nobody reads
        with pytest.raises(EngineTimeout):
            await anext(stream)


async def test_the_time_of_a_call_bounds_its_retries() -> None:
    request = ModelRequest(QUESTION, timeout_s=0.2)
    async with asyncio.timeout(5), HttpModelClient("http://127.0.0.1:9", attempts=100) as client:
        with pytest.raises((EngineUnreachable, EngineTimeout)):  # whichever a busy machine has first
            await client.complete(request)


async def test_a_closed_client_says_so(fake: ProtocolFake) -> None:
    client = fake.client()
    await client.aclose()
    with pytest.raises(EngineError, match="has been closed"):
        await client.models()


async def test_closing_the_client_ends_what_is_under_way(fake: ProtocolFake) -> None:
    fake.acts = [lambda request: _waits_to_be_left(fake, request)]
    client = fake.client()
    stream = client.stream(ModelRequest(QUESTION))
    assert (await anext(stream)).text == "Once"
    await client.aclose()
    with pytest.raises(EngineError, match="has been closed"):
        await anext(stream)
    async with asyncio.timeout(5):
        await fake.gone.wait()
