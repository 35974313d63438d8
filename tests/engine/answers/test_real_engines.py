"""Forms and tools on engines that really write: the embedded one (marker `engine`) and a real vLLM (marker `vllm`)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from crewgraph.agents.model import Message, ModelClient, ModelReply, ModelRequest, ToolSpec
from crewgraph.agents.wrapping import Wrapping
from crewgraph.runtime.errors import ReplyTruncated
from crewgraph.serving.client.answers import Checked, shape_of
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .wayward import ASK, read

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 40},
        "kind": {"$ref": "#/$defs/Kind", "description": "what it is"},
        "sights": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 2},
    },
    "required": ["city", "kind"],
    "additionalProperties": False,
    "$defs": {"Kind": {"enum": ["capital", "town"]}},
}
WEATHER = ToolSpec(
    "weather",
    "Get the weather of a city.",
    {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome", "Oslo"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
TALK = (Message("system", "You are a helpful assistant."), Message("user", "What is the weather in Paris?"))


@pytest_asyncio.fixture(
    params=[pytest.param("llamacpp", marks=pytest.mark.engine), pytest.param("vllm", marks=pytest.mark.vllm)]
)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[tuple[ModelClient, str]]:
    if request.param == "llamacpp":
        settings: Settings = request.getfixturevalue("shared_home")
    else:
        settings = Settings(model_url=request.getfixturevalue("vllm_url"), model=None, model_key=None)
    async with engine_client(settings) as ready:
        yield ready, request.param


@pytest.fixture
def client(engine: tuple[ModelClient, str]) -> Checked:
    inner, kind = engine
    return Checked(inner, shape=shape_of(kind))


def keeps(text: str) -> None:
    value = json.loads(text)
    assert value["kind"] in ("capital", "town")
    assert len(value["city"]) <= 40
    assert all(len(sight) <= 20 for sight in value.get("sights", []))


async def test_a_schema_is_kept(client: Checked) -> None:
    keeps((await client.complete(ModelRequest(ASK, schema=CITY))).text)
    pieces, reply = await read(client, ModelRequest(ASK, schema=CITY))
    assert "".join(pieces) == reply.text
    keeps(reply.text)


async def test_a_reply_without_room_gets_it(client: Checked) -> None:
    reply = await client.complete(ModelRequest(ASK, schema=CITY, max_tokens=3))
    keeps(reply.text)
    assert reply.usage.prompt_tokens > 60, "both calls are counted"


async def test_a_stream_without_room_goes_on_where_it_was(client: Checked) -> None:
    pieces, reply = await read(client, ModelRequest(ASK, schema=CITY, max_tokens=4))
    assert "".join(pieces) == reply.text
    assert reply.text.count('"city"') == 1
    keeps(reply.text)


async def test_a_number_that_was_cut_is_not_taken_for_a_whole_one(client: Checked) -> None:
    asked = (Message("user", "Repeat this number: 123456789"),)
    short = await client.complete(ModelRequest(asked, schema={"type": "integer"}, max_tokens=1))
    whole = await client.complete(ModelRequest(asked, schema={"type": "integer"}, max_tokens=200))
    assert short.text == whole.text


async def test_a_reply_that_never_ends_is_an_error_and_not_half_a_reply(
    engine: tuple[ModelClient, str],
) -> None:
    class Narrow(Wrapping):
        """The engine, as if its window were small."""

        async def context_tokens(self, model: str | None = None) -> int | None:
            return 80

    endless = ModelRequest(ASK, regex="[0-9]{200}", max_tokens=2)
    with pytest.raises(ReplyTruncated, match="asked for 2 times") as gone:
        await Checked(Narrow(engine[0])).complete(endless)
    assert isinstance(gone.value.reply, ModelReply)
    assert gone.value.reply.usage.completion_tokens > 10


async def test_choices_and_patterns_are_kept(client: Checked) -> None:
    assert (await client.complete(ModelRequest(ASK, choices=("Rome", "Paris")))).text == "Paris"
    reply = await client.complete(ModelRequest(ASK, regex="[A-Z][a-z]{2,8}"))
    assert re.fullmatch("[A-Z][a-z]{2,8}", reply.text)


async def test_a_text_stays_within_its_bound(client: Checked) -> None:
    story = (Message("user", "Tell me a long story about a river."),)
    schema = {
        "type": "object",
        "properties": {"story": {"type": "string", "maxLength": 30}},
        "required": ["story"],
    }
    reply = await client.complete(ModelRequest(story, schema=schema, max_tokens=200))
    assert len(json.loads(reply.text)["story"]) <= 30


async def test_a_call_its_result_and_the_answer_go_round(client: Checked) -> None:
    asked = ModelRequest(TALK, tools=(WEATHER, ADD), tool_choice="required")
    first = await client.complete(asked)
    (call,) = first.tool_calls
    assert (call.name, call.arguments) == ("weather", {"city": "Paris"})
    history = (
        *TALK,
        Message("assistant", first.text, first.tool_calls),
        Message("tool", "sunny, 21 degrees", tool_call_id=call.id),
    )
    pieces, answer = await read(client, ModelRequest(history, tools=(WEATHER, ADD), tool_choice="none"))
    assert "".join(pieces) == answer.text
    assert "21" in answer.text
    assert answer.tool_calls == ()


async def test_whatever_a_model_decides_is_a_call_that_can_be_made_or_words(client: Checked) -> None:
    for question in ("What is the weather in Rome?", "What is 3 plus 4?", "Who are you?"):
        reply = await client.complete(ModelRequest((Message("user", question),), tools=(WEATHER, ADD)))
        assert bool(reply.tool_calls) != bool(reply.text.strip())
        for call in reply.tool_calls:
            wanted = {"weather": {"city"}, "add": {"a", "b"}}[call.name]
            assert call.arguments.keys() == wanted


async def test_many_at_once_keep_their_own_forms(client: Checked) -> None:
    async def ask(number: int) -> str:
        schema = {"type": "object", "properties": {"id": {"const": f"marker-{number}"}}, "required": ["id"]}
        return (await client.complete(ModelRequest(ASK, schema=schema, max_tokens=4))).text

    replies = await asyncio.gather(*(ask(number) for number in range(6)))
    assert [json.loads(reply)["id"] for reply in replies] == [f"marker-{number}" for number in range(6)]


@pytest.mark.engine
async def test_the_embedded_engine_writes_no_whitespace_between_parts(shared_home: Settings) -> None:
    asked = ModelRequest(ASK, schema=CITY)
    async with engine_client(shared_home) as inner:
        as_given = await Checked(inner).complete(asked)
        compact = await Checked(inner, shape=shape_of("llamacpp")).complete(asked)
    value = json.loads(compact.text)
    assert compact.text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert compact.usage.completion_tokens < as_given.usage.completion_tokens
