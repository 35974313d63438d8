"""Streams come whole, or end in an error; how their bytes are cut changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from crewgraph.runtime.errors import ModelError, NotAnEngine, StreamBroken
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.client.dialects.stream import CompletionStream

from .protocol_fake import (
    DONE,
    QUESTION,
    STREAM_HEAD,
    ProtocolFake,
    RawFake,
    called,
    chunk,
    completion,
    event,
    sends,
    streams,
)

Raw = Callable[..., Awaitable[RawFake]]
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 4},
}
SENT = (
    b": ping\r\n\r\n"
    + event("Ä")
    + event("’s 東京").replace(b"\n", b"\r\n")
    + b"event: message\nid: 7\nretry: 10\n"
    + called(0, id="a", name="look", arguments='{"at"')
    + called(1, id="b", name="go")
    + called(0, arguments=': "é"}')
    + event(finish="tool_calls")
    + b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
    + DONE
)  # fmt: skip


async def whole(client: HttpModelClient) -> tuple[str, ModelReply]:
    deltas = [delta async for delta in client.stream(ModelRequest(QUESTION))]
    last = deltas[-1].reply
    assert last is not None
    text = "".join(delta.text for delta in deltas)
    assert text == last.text
    return text, last


def is_all_of_it(text: str, reply: ModelReply) -> None:
    assert text == "Ä’s 東京"
    assert reply.usage == Usage(7, 3, 4)
    assert reply.tool_calls == (ToolCall("a", "look", {"at": "é"}), ToolCall("b", "go", {}))
    assert reply.finish_reason == "tool_calls"


@given(st.lists(st.integers(1, len(SENT) - 1), unique=True).map(sorted))
def test_any_cut_gives_the_same_text_usage_and_tool_calls(cuts: list[int]) -> None:
    reading = CompletionStream()
    ends = [*cuts, len(SENT)]
    text = "".join(reading.feed(SENT[a:b]) for a, b in zip([0, *cuts], ends, strict=True))
    assert reading.done
    is_all_of_it(
        text, ModelReply(text, reading.finish_reason or "stop", reading.usage, "", reading.tool_calls())
    )


async def test_a_stream_survives_any_cut_on_the_way(fake: ProtocolFake) -> None:
    fake.acts = [streams(*(SENT[i : i + 1] for i in range(len(SENT))))]
    async with fake.client() as client:
        is_all_of_it(*await whole(client))


async def test_chunks_cut_anywhere_with_extensions_and_trailers_are_read(raw: Raw) -> None:
    half = len(SENT) // 2
    body = (
        b"%x;name=value\r\n%b\r\n" % (half, SENT[:half])
        + chunk(SENT[half:])
        + b"0\r\nX-Checksum: 1\r\nX-Other: 2\r\n\r\n"
    )
    sent = STREAM_HEAD + body
    server = await raw(sends(*(sent[i : i + 7] for i in range(0, len(sent), 7))))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        is_all_of_it(*await whole(client))
        is_all_of_it(*await whole(client))
    assert server.connections == 1


async def test_an_interim_answer_is_no_answer(raw: Raw) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    server = await raw(sends(early, STREAM_HEAD + chunk(SENT) + b"0\r\n\r\n"))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        is_all_of_it(*await whole(client))
        is_all_of_it(*await whole(client))
    assert server.connections == 1


async def test_a_stream_without_a_length_ends_with_its_connection(raw: Raw) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    server = await raw(sends(head, SENT, close=True))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        is_all_of_it(*await whole(client))


async def test_a_reply_without_a_length_ends_with_its_connection(raw: Raw) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    server = await raw(sends(head, json.dumps(completion("Paris")).encode(), close=True))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        assert (await client.complete(ModelRequest(QUESTION))).text == "Paris"


async def test_an_answer_that_is_whole_is_given_though_the_server_never_ends_it(raw: Raw) -> None:
    server = await raw(sends(STREAM_HEAD, chunk(SENT)))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        is_all_of_it(*await whole(client))
        async with asyncio.timeout(5):
            await server.closed.wait()


async def test_many_events_in_one_read_are_one_delta(raw: Raw) -> None:
    many = (
        b"".join(chunk(event(f"{n} ")) for n in range(50)) + chunk(event(finish="stop") + DONE) + b"0\r\n\r\n"
    )
    server = await raw(sends(STREAM_HEAD + many))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        deltas = [delta.text async for delta in client.stream(ModelRequest(QUESTION))]
    assert deltas == ["".join(f"{n} " for n in range(50)), ""]


async def test_a_stream_without_an_end_is_an_error(fake: ProtocolFake) -> None:
    fake.acts = [streams(event("Par"))]
    async with fake.client() as client:
        with pytest.raises(StreamBroken, match="broke off"):
            await whole(client)


async def test_a_server_that_closes_after_its_headers_is_an_error(raw: Raw) -> None:
    server = await raw(sends(STREAM_HEAD, close=True))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        with pytest.raises(StreamBroken, match="broke off"):
            await whole(client)
    assert len(server.requests) == 1


async def test_what_came_before_a_break_is_given_first(raw: Raw) -> None:
    server = await raw(sends(STREAM_HEAD + chunk(event("Par")), close=True))
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        stream = client.stream(ModelRequest(QUESTION))
        await asyncio.sleep(0.05)
        assert (await anext(stream)).text == "Par"
        with pytest.raises(StreamBroken):
            await anext(stream)


@pytest.mark.parametrize(
    "sent",
    [
        event("Par") + b'data: {"error": {"message": "out of memory"}}\n\n',
        event("Par") + b'error: {"code": 500, "message": "out of memory"}\n\n',
        b'{"error": {"message": "out of memory"}}\n',
        b'data: {"object": "error", "message": "out of memory"}\n\n',
    ],
)
async def test_an_error_inside_a_stream_is_told(fake: ProtocolFake, sent: bytes) -> None:
    fake.acts = [streams(sent)]
    async with fake.client() as client:
        with pytest.raises(ModelError, match="out of memory"):
            await whole(client)


@pytest.mark.parametrize(
    "sent", [b"<!doctype html>\n<html></html>\n", b"just words\n", b"data: [1, 2]\n\n", b"data: <p>\n\n"]
)
async def test_what_is_no_stream_of_events_is_told(fake: ProtocolFake, sent: bytes) -> None:
    fake.acts = [streams(sent)]
    async with fake.client() as client:
        with pytest.raises(NotAnEngine):
            await whole(client)


async def test_an_event_without_end_is_given_up(fake: ProtocolFake) -> None:
    fake.acts = [streams(*([b"data: " + b"x" * 2**20] * 6))]
    async with fake.client() as client:
        with pytest.raises(NotAnEngine, match="without end"):
            await whole(client)


async def test_a_slow_reader_makes_the_server_wait_and_loses_nothing(raw: Raw) -> None:
    """Ten megabytes are not read ahead of who reads them: the server gets stuck, then everything comes."""
    word = "x" * 1000
    count = 10_000
    sent = 0

    async def play(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(STREAM_HEAD)
        for _ in range(count):
            writer.write(chunk(event(word)))
            await writer.drain()
            sent += 1
        writer.write(chunk(event(finish="stop") + DONE) + b"0\r\n\r\n")

    server = await raw(play)
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        stream = client.stream(ModelRequest(QUESTION))
        came = len((await anext(stream)).text)
        before = -1
        while before != sent:  # until the server makes no headway any more
            before = sent
            await asyncio.sleep(0.2)
        assert sent < count
        async for delta in stream:
            came += len(delta.text)
    assert came == count * len(word)


async def test_a_server_that_has_to_wait_for_the_reader_is_not_silent(raw: Raw) -> None:
    words = [chunk(event("x" * 1000)) for _ in range(10_000)]
    server = await raw(
        sends(STREAM_HEAD + b"".join(words) + chunk(event(finish="stop") + DONE) + b"0\r\n\r\n")
    )
    async with HttpModelClient(server.url, engine_kind="vllm", model="small", read_timeout_s=0.2) as client:
        stream = client.stream(ModelRequest(QUESTION))
        came = len((await anext(stream)).text)
        await asyncio.sleep(0.7)
        async for delta in stream:
            came += len(delta.text)
    assert came == 10_000_000


async def test_a_thousand_streams_at_once_all_come_whole(raw: Raw) -> None:
    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for number in range(5):
            await asyncio.sleep(0.01)
            writer.write(chunk(event(f"{number} ")))
        writer.write(chunk(event(finish="stop") + DONE) + b"0\r\n\r\n")

    server = await raw(play)
    async with HttpModelClient(server.url, engine_kind="vllm", model="small") as client:
        replies = await asyncio.gather(*(whole(client) for _ in range(1000)))
    assert {text for text, _ in replies} == {"0 1 2 3 4 "}
    assert server.connections == 1000
