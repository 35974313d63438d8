"""What is safe to send again is sent again, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from crewgraph.agents.model import ModelRequest
from crewgraph.runtime.errors import EngineBusy, EngineUnreachable, StreamBroken
from crewgraph.serving.client import HttpModelClient

from .protocol_fake import (
    QUESTION,
    ProtocolFake,
    RawFake,
    answer,
    breaks_off,
    completion,
    drops,
    event,
    refuses,
    says,
    sends,
)

Raw = Callable[..., Awaitable[RawFake]]


async def test_a_dropped_connection_is_tried_again(fake: ProtocolFake) -> None:
    fake.acts = [drops, drops, says("Paris")]
    async with fake.client() as client:
        reply = await client.complete(ModelRequest(QUESTION))
    assert (reply.text, reply.usage.total_tokens, len(fake.bodies)) == ("Paris", 12, 3)


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_busy_engine_is_asked_again(fake: ProtocolFake, status: int) -> None:
    fake.acts = [refuses(status, headers={"Retry-After": "0.1"}), says("Paris")]
    async with fake.client() as client:
        assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"


async def test_an_engine_that_stays_busy_is_named_in_one_sentence(fake: ProtocolFake) -> None:
    fake.acts = [refuses(503, "loading")]
    async with fake.client() as client:
        with pytest.raises(EngineBusy, match=r"overloaded \(503: loading\); try again later\.$"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 5


async def test_with_one_attempt_nothing_is_sent_twice(fake: ProtocolFake) -> None:
    fake.acts = [refuses(429, headers={"Retry-After": "7"}), drops]
    async with fake.client(kind="vllm", model="small", attempts=1) as client:
        with pytest.raises(EngineBusy) as busy:
            await client.complete(ModelRequest(QUESTION))
        assert busy.value.retry_after_s == 7
        with pytest.raises(EngineUnreachable, match="closed the connection"):
            [delta async for delta in client.stream(ModelRequest(QUESTION))]
    # The second came over the connection of the first, which had to count as one that might have aged.
    assert len(fake.bodies) == 3


async def test_nothing_is_repeated_once_the_answer_has_begun(fake: ProtocolFake) -> None:
    fake.acts = [breaks_off(b'{"choices": [{"mess')]
    async with fake.client() as client:
        with pytest.raises(StreamBroken, match="broke off in the middle"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 1


async def test_a_stream_that_breaks_off_is_an_error(fake: ProtocolFake) -> None:
    fake.acts = [breaks_off(event("Par"), "text/event-stream")]
    async with fake.client() as client:
        stream = client.stream(ModelRequest(QUESTION))
        assert (await anext(stream)).text == "Par"
        with pytest.raises(StreamBroken, match="broke off"):
            await anext(stream)


async def test_a_kept_connection_that_aged_is_replaced_without_counting(raw: Raw) -> None:
    """The server answers, and closes the kept connection only when the next request has come: llama.cpp does."""
    said = answer(json.dumps(completion("Paris")).encode())

    async def gone(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await raw(sends(said), gone, sends(said), gone, sends(said))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small", attempts=1) as client:
        for _ in range(3):
            assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"
    assert server.connections == 3
    assert len(server.requests) == 5


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(raw: Raw) -> None:
    closing = answer(json.dumps(completion("Paris")).encode(), more=b"Keep-Alive: timeout=5\r\n")
    server = await raw(sends(closing, close=True))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small", attempts=1) as client:
        await client.complete(ModelRequest(QUESTION))
        await asyncio.sleep(0.05)
        await client.complete(ModelRequest(QUESTION))
    assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(
    "more", [b"Connection: close\r\n", b""], ids=["it says that it closes", "it sends more than it said"]
)
async def test_a_connection_that_is_not_clean_is_not_used_again(raw: Raw, more: bytes) -> None:
    said = answer(json.dumps(completion("Paris")).encode(), more=more)
    server = await raw(sends(said if more else said + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small", attempts=1) as client:
        for _ in range(2):
            assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"
    assert server.connections == 2


async def test_a_clean_connection_is_used_again(fake: ProtocolFake) -> None:
    ports: set[int] = set()

    async def act(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return await says("Paris")(request)

    fake.acts = [act]
    async with fake.client(kind="vllm", model="small") as client:
        for _ in range(5):
            await client.complete(ModelRequest(QUESTION))
    assert len(ports) == 1
