"""A reply is given as the engine meant it, or it is an error: constraints, tool calls, vectors."""

from __future__ import annotations

import pytest
from aiohttp import web

from crewgraph.agents.model import ModelReply, ModelRequest, ToolCall, ToolSpec, Usage
from crewgraph.runtime.errors import EngineError, ModelError, NotAnEngine, ReplyTruncated

from .protocol_fake import CITY, DONE, QUESTION, Act, ProtocolFake, called, completion, event, says, streams

LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
TOOLS = ModelRequest(QUESTION, tools=(LOOK,))


def calls(arguments: object, finish: str = "tool_calls") -> Act:
    said = [{"id": "a", "type": "function", "function": {"name": "look", "arguments": arguments}}]

    async def act(_: web.Request) -> web.Response:
        return web.json_response(completion("", finish, tool_calls=said))

    return act


async def test_a_schema_reply_that_was_cut_off_is_given_with_its_error_and_not_asked_for_again(
    fake: ProtocolFake,
) -> None:
    fake.acts = [says('{"city": "Pa', "length")]
    async with fake.client() as client:
        with pytest.raises(ReplyTruncated, match="raise max_tokens") as caught:
            await client.complete(ModelRequest(QUESTION, schema=CITY))
    assert isinstance(caught.value.reply, ModelReply)
    assert (caught.value.reply.text, len(fake.bodies)) == ('{"city": "Pa', 1)


@pytest.mark.parametrize("text", ['{"town": "Paris"}', '{"city": 3}', "Paris", "", "[]", '{"city": NaN}'])
async def test_a_reply_outside_its_schema_is_never_passed_on(fake: ProtocolFake, text: str) -> None:
    fake.acts = [says(text)]
    async with fake.client() as client:
        with pytest.raises(ModelError, match="cannot be used"):
            await client.complete(ModelRequest(QUESTION, schema=CITY))
    assert len(fake.bodies) == 1


async def test_a_streamed_reply_outside_its_schema_ends_in_an_error(fake: ProtocolFake) -> None:
    fake.acts = [streams(event('{"city": '), event(finish="length"), DONE)]
    async with fake.client() as client:
        with pytest.raises(ReplyTruncated, match="cannot be used"):
            [delta async for delta in client.stream(ModelRequest(QUESTION, schema=CITY))]


async def test_a_reply_outside_its_choices_is_never_passed_on(fake: ProtocolFake) -> None:
    fake.acts = [says("Lyon"), streams(event("Lyon"), event(finish="stop"), DONE)]
    shown: list[str] = []
    request = ModelRequest(QUESTION, choices=("Paris", "Rome"))

    async def stream() -> None:
        async for delta in client.stream(request):
            shown.append(delta.text)

    async with fake.client(kind="vllm", model="small") as client:
        with pytest.raises(ModelError, match="not one of the choices"):
            await client.complete(request)
        with pytest.raises(ModelError, match="not one of the choices"):
            await stream()
    assert shown == []


@pytest.mark.parametrize("arguments", ['{"at": "é"}', {"at": "é"}])
async def test_tool_calls_are_read(fake: ProtocolFake, arguments: object) -> None:
    fake.acts = [calls(arguments, "stop")]
    async with fake.client() as client:
        reply = await client.complete(TOOLS)
    assert reply.tool_calls == (ToolCall("a", "look", {"at": "é"}),)
    assert reply.finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ["[1]", "{", "é"])
async def test_a_tool_call_without_an_object_is_never_passed_on(fake: ProtocolFake, arguments: str) -> None:
    pieces = called(0, id="a", name="look", arguments=arguments)
    fake.acts = [calls(arguments), streams(pieces, event(finish="tool_calls"), DONE)]
    async with fake.client() as client:
        with pytest.raises(ModelError, match="'look' with arguments that are not a JSON object"):
            await client.complete(TOOLS)
        with pytest.raises(ModelError, match="'look' with arguments that are not a JSON object"):
            [delta async for delta in client.stream(TOOLS)]


async def test_a_tool_call_that_was_cut_off_is_truncated(fake: ProtocolFake) -> None:
    pieces = event("Let me look."), called(0, id="a", name="look", arguments='{"at')
    fake.acts = [calls('{"at', "length"), streams(*pieces, event(finish="length"), DONE)]
    async with fake.client() as client:
        with pytest.raises(ReplyTruncated, match="in the middle of a call"):
            await client.complete(TOOLS)
        with pytest.raises(ReplyTruncated, match="in the middle of a call") as caught:
            [delta async for delta in client.stream(TOOLS)]
    assert isinstance(caught.value.reply, ModelReply)
    assert caught.value.reply.text == "Let me look."


async def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids(fake: ProtocolFake) -> None:
    pieces = called(0, id="a", name="look", arguments="{}"), called(0, id="b", name="look", arguments="{}")
    fake.acts = [streams(*pieces, event(finish="tool_calls"), DONE)]
    async with fake.client() as client:
        deltas = [delta async for delta in client.stream(TOOLS)]
    assert deltas[-1].reply is not None
    assert [call.id for call in deltas[-1].reply.tool_calls] == ["a", "b"]


@pytest.mark.parametrize(
    "more",
    [
        {
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 8},
            }
        },
        {"usage": {"prompt_tokens": 9, "completion_tokens": 2}, "timings": {"cache_n": 8}},
    ],
)
async def test_cached_tokens_are_counted(fake: ProtocolFake, more: dict[str, object]) -> None:
    async def act(_: web.Request) -> web.Response:
        return web.json_response(completion("Paris") | more)

    fake.acts = [act]
    async with fake.client() as client:
        assert (await client.complete(ModelRequest(QUESTION))).usage == Usage(9, 2, 8)


async def test_vectors_come_in_the_order_of_the_texts(fake: ProtocolFake) -> None:
    data = [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [2, 3.0]}]
    fake.answers["/v1/embeddings"] = {"data": data, "model": "small", "usage": {"prompt_tokens": 4}}
    async with fake.client() as client:
        made = await client.embed(("a", "b"))
        assert (made.vectors, made.usage.prompt_tokens) == (((2.0, 3.0), (0.5, 1.0)), 4)
        assert fake.bodies[-1] == {"model": "small", "input": ["a", "b"]}
        with pytest.raises(ModelError, match="2 vectors for 1 texts"):
            await client.embed(("a",))


@pytest.mark.parametrize("status", [404, 501])
async def test_an_engine_without_vectors_says_so(fake: ProtocolFake, status: int) -> None:
    fake.answers["/v1/embeddings"] = status
    async with fake.client() as client:
        with pytest.raises(EngineError, match=f"makes no embeddings with small \\({status}"):
            await client.embed(("a",))


@pytest.mark.parametrize(("answer", "error"), [({"choices": []}, ModelError), ([], ModelError)])
async def test_an_answer_that_is_no_completion_is_told(
    fake: ProtocolFake, answer: object, error: type[Exception]
) -> None:
    async def act(_: web.Request) -> web.Response:
        return web.json_response(answer)

    fake.acts = [act]
    async with fake.client() as client:
        with pytest.raises(error, match="not a chat completion"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_web_page_with_status_200_is_told(fake: ProtocolFake) -> None:
    async def act(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><p>Welcome", content_type="text/html")

    fake.acts = [act]
    async with fake.client() as client:
        with pytest.raises(NotAnEngine, match="other than JSON"):
            await client.complete(ModelRequest(QUESTION))
        with pytest.raises(NotAnEngine, match="text/html"):
            [delta async for delta in client.stream(ModelRequest(QUESTION))]
