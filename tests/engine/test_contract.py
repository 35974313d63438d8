"""One contract over every engine: the embedded one (marker `engine`) and a real vLLM (marker `vllm`)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from crewgraph.agents.model import Message, ModelClient, ModelRequest
from crewgraph.runtime.errors import EngineError, ModelError
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

CAPITAL = (Message("user", "What is the capital of France?"),)
STORY = (Message("user", "Tell me a very long story about a river, with every detail."),)


@pytest_asyncio.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.engine), pytest.param("vllm", marks=pytest.mark.vllm)]
)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[HttpModelClient]:
    if request.param == "embedded":
        settings: Settings = request.getfixturevalue("shared_home")
    else:
        settings = Settings(model_url=request.getfixturevalue("vllm_url"), model=None, model_key=None)
    async with engine_client(settings) as ready:
        yield ready


async def test_it_is_a_model_client_and_names_its_model(client: HttpModelClient) -> None:
    assert isinstance(client, ModelClient)
    assert await client.models() == ["smollm2-135m-instruct"]


async def test_it_knows_the_capital_of_france(client: HttpModelClient) -> None:
    reply = await client.complete(ModelRequest(CAPITAL))
    assert "Paris" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.usage.prompt_tokens > 10
    assert reply.usage.completion_tokens > 3


async def test_a_stream_is_the_same_reply_in_pieces(client: HttpModelClient) -> None:
    request = ModelRequest(CAPITAL)
    whole = await client.complete(request)
    deltas = [delta async for delta in client.stream(request)]
    last = deltas[-1].reply
    assert last is not None
    assert len(deltas) > 3
    assert "".join(delta.text for delta in deltas) == last.text == whole.text
    assert last.usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize("agents", [["zebra", "quagga"], ["émile", "王"]])
async def test_a_schema_is_enforced(client: HttpModelClient, agents: list[str]) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "agent": {"enum": agents},
            "priority": {"type": "integer", "minimum": 1, "maximum": 3},
        },
        "required": ["agent", "priority"],
        "additionalProperties": False,
    }
    reply = await client.complete(ModelRequest(CAPITAL, schema=schema, max_tokens=64))
    value = json.loads(reply.text)
    assert value["agent"] in agents
    assert 1 <= value["priority"] <= 3


async def test_a_schema_is_enforced_in_a_stream(client: HttpModelClient) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    deltas = [d async for d in client.stream(ModelRequest(CAPITAL, schema=schema, max_tokens=64))]
    assert isinstance(json.loads("".join(delta.text for delta in deltas))["ok"], bool)


async def test_a_schema_that_needs_more_room_gets_it_once(client: HttpModelClient) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris, the capital of France"]}}}
    schema |= {"required": ["city"], "additionalProperties": False}
    reply = await client.complete(ModelRequest(CAPITAL, schema=schema, max_tokens=3))
    assert json.loads(reply.text) == {"city": "Paris, the capital of France"}


async def test_a_choice_is_enforced(client: HttpModelClient) -> None:
    odd = ('say "zebra"', "back\\slash", "two\nlines", "王")
    reply = await client.complete(ModelRequest(CAPITAL, choices=odd))
    assert reply.text in odd
    deltas = [delta async for delta in client.stream(ModelRequest(CAPITAL, choices=odd))]
    assert deltas[0].text == reply.text


async def test_eight_at_once_do_not_mix(client: HttpModelClient) -> None:
    async def ask(marker: str) -> str:
        schema = {"type": "object", "properties": {"id": {"const": marker}}, "required": ["id"]}
        schema["additionalProperties"] = False
        return (await client.complete(ModelRequest(CAPITAL, schema=schema, max_tokens=64))).text

    markers = [f"marker-{number}" for number in range(8)]
    replies = await asyncio.gather(*(ask(marker) for marker in markers))
    assert [json.loads(reply)["id"] for reply in replies] == markers


async def test_cancelling_frees_the_engine(client: HttpModelClient) -> None:
    pieces: asyncio.Queue[str] = asyncio.Queue()

    async def tell() -> None:
        async for delta in client.stream(ModelRequest(STORY, max_tokens=3000, temperature=1.5, seed=None)):
            pieces.put_nowait(delta.text)

    calls = [asyncio.create_task(tell()) for _ in range(32)]
    for _ in range(40):  # more pieces than one, so that several stories are under way
        await pieces.get()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    started = time.monotonic()
    await client.complete(ModelRequest(CAPITAL))
    assert time.monotonic() - started < 10, "32 stories of 3000 tokens would have kept it busy for minutes"


async def test_an_unknown_model_is_refused(client: HttpModelClient) -> None:
    with pytest.raises(EngineError, match="serves: smollm2-135m-instruct"):
        await client.complete(ModelRequest(CAPITAL, model="gpt-4"))


async def test_a_prompt_beyond_the_context_is_refused(client: HttpModelClient) -> None:
    with pytest.raises(ModelError, match="400"):
        await client.complete(ModelRequest((Message("user", "word " * 6000),)))
