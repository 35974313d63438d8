"""One contract over every engine: llama.cpp (marker `engine`), a real vLLM (marker `vllm`), and protocol fakes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from crewgraph.agents.model import Hints, Message, ModelClient, ModelRequest, ToolSpec
from crewgraph.runtime.errors import (
    ContextTooLong,
    EngineError,
    InvalidRequest,
    InvalidSchema,
    KeyRefused,
    ReplyTruncated,
    UnknownModel,
)
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.engines import start_engine, stop_engine
from crewgraph.serving.engines.keeping.probe import load
from crewgraph.serving.settings import Settings

from ..conftest import apart
from .every_engine import ADAPTERS, MODEL, Engine, able, opened, unable

CAPITAL = (Message("user", "What is the capital of France?"),)
STORY = (Message("user", "Tell me a very long story about a river, with every detail."),)
EVERY = pytest.mark.parametrize("engine", able(), indirect=True)


def those_with(*abilities: str) -> Any:
    """Only engines that can this."""
    return pytest.mark.parametrize("engine", able(*abilities), indirect=True)


def those_without(ability: str) -> Any:
    """Only engines that cannot."""
    return pytest.mark.parametrize("engine", unable(ability), indirect=True)


@pytest.fixture(scope="session")
def adapted_home(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home whose embedded engine has the adapters."""
    folder = tmp_path_factory.mktemp("contract-home")
    (folder / "models").symlink_to(models_dir)
    settings = Settings(home=folder, model_url=None, model=None)
    yield settings
    apart(stop_engine(settings))


@pytest_asyncio.fixture
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    async with opened(request.param, request) as ready:
        yield ready


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@EVERY
async def test_it_is_a_model_client_and_its_first_model_is_the_default(engine: Engine) -> None:
    assert isinstance(engine.raw, ModelClient)
    first = (await engine.raw.models())[0]
    assert MODEL in first.lower()
    assert (await engine.raw.complete(ModelRequest(CAPITAL))).model == first


@EVERY
async def test_it_knows_the_capital_of_france(engine: Engine) -> None:
    reply = await engine.checked.complete(ModelRequest(CAPITAL))
    assert "Paris" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.usage.prompt_tokens > 10
    assert reply.usage.completion_tokens > 3


@EVERY
async def test_a_reply_that_was_cut_off_says_so(engine: Engine) -> None:
    reply = await engine.raw.complete(ModelRequest(STORY, max_tokens=5))
    assert (reply.finish_reason, reply.usage.completion_tokens) == ("length", 5)


@EVERY
async def test_a_stop_text_ends_the_reply_before_it(engine: Engine) -> None:
    reply = await engine.raw.complete(ModelRequest(CAPITAL, stop=(" Paris",)))
    assert "Paris" not in reply.text
    assert reply.text.startswith("The capital")
    assert reply.finish_reason == "stop"


@EVERY
async def test_a_stream_is_the_same_reply_in_pieces(engine: Engine) -> None:
    request = ModelRequest(CAPITAL)
    whole = await engine.raw.complete(request)
    deltas = [delta async for delta in engine.checked.stream(request)]
    last = deltas[-1].reply
    assert last is not None
    assert len(deltas) > 3
    assert "".join(delta.text for delta in deltas) == last.text == whole.text
    assert last.usage.completion_tokens == whole.usage.completion_tokens
    assert last.usage.prompt_tokens == whole.usage.prompt_tokens


@EVERY
@pytest.mark.parametrize("agents", [["zebra", "quagga"], ["émile", "王"]])
async def test_a_schema_is_enforced(engine: Engine, agents: list[str]) -> None:
    schema = an_object(agent={"enum": agents}, priority={"type": "integer", "minimum": 1, "maximum": 3})
    reply = await engine.checked.complete(ModelRequest(CAPITAL, schema=schema, max_tokens=64))
    value = json.loads(reply.text)
    assert value["agent"] in agents
    assert 1 <= value["priority"] <= 3


@EVERY
async def test_a_schema_is_enforced_in_a_stream(engine: Engine) -> None:
    schema = an_object(ok={"type": "boolean"})
    request = ModelRequest(CAPITAL, schema=schema, max_tokens=64)
    deltas = [delta async for delta in engine.checked.stream(request)]
    assert isinstance(json.loads("".join(delta.text for delta in deltas))["ok"], bool)


@EVERY
async def test_a_schema_that_needs_more_room_gets_it(engine: Engine) -> None:
    schema = an_object(city={"enum": ["Paris, the capital of France"]})
    request = ModelRequest(CAPITAL, schema=schema, max_tokens=3)
    with pytest.raises(ReplyTruncated):
        await engine.raw.complete(request)
    assert json.loads((await engine.checked.complete(request)).text) == {
        "city": "Paris, the capital of France"
    }


@EVERY
async def test_a_choice_is_enforced(engine: Engine) -> None:
    odd = ('say "zebra"', "back\\slash", "two\nlines", "王")
    reply = await engine.checked.complete(ModelRequest(CAPITAL, choices=odd))
    assert reply.text in odd
    deltas = [delta async for delta in engine.checked.stream(ModelRequest(CAPITAL, choices=odd))]
    assert "".join(delta.text for delta in deltas) == reply.text


@those_with("regex")
async def test_a_pattern_is_enforced(engine: Engine) -> None:
    pattern = r"[A-Z]{3}-[0-9]{4}"
    reply = await engine.checked.complete(ModelRequest(CAPITAL, regex=pattern, max_tokens=32))
    assert re.fullmatch(pattern, reply.text)


@those_with("grammar")
async def test_a_grammar_is_enforced(engine: Engine) -> None:
    grammar = 'root ::= "<" word ("," word)? ">"\nword ::= [xyz] [xyz]'
    reply = await engine.checked.complete(ModelRequest(CAPITAL, grammar=grammar, max_tokens=32))
    assert re.fullmatch(r"<[xyz]{2}(,[xyz]{2})?>", reply.text)


@those_without("grammar")
async def test_a_constraint_that_it_does_not_have_is_refused_before_it_is_asked(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="grammar"):
        await engine.checked.complete(ModelRequest(CAPITAL, grammar='root ::= "x"'))


@EVERY
async def test_constraints_that_nobody_could_follow_are_refused(engine: Engine) -> None:
    schema = an_object(x={"type": "no such type"})
    for request in (ModelRequest(CAPITAL, schema=schema), ModelRequest(CAPITAL, regex="(")):
        with pytest.raises(InvalidSchema):
            await engine.checked.complete(request)
    with pytest.raises(InvalidRequest):
        await engine.checked.complete(ModelRequest(CAPITAL, schema=an_object(), choices=("a",)))


@EVERY
async def test_a_tool_is_called_with_arguments_that_fit(engine: Engine) -> None:
    tool = ToolSpec(
        "population",
        "How many people live in a country.",
        an_object(country={"type": "string", "enum": ["France", "Spain"]}),
    )
    request = ModelRequest(
        (Message("user", "What is the population of Spain?"),), tools=(tool,), tool_choice="required"
    )
    reply = await engine.checked.complete(request)
    assert reply.finish_reason == "tool_calls"
    (call,) = reply.tool_calls
    assert call.name == "population"
    assert call.arguments["country"] in ("France", "Spain")
    assert call.id


@EVERY
async def test_eight_at_once_do_not_mix(engine: Engine) -> None:
    async def ask(marker: str) -> str:
        schema = an_object(id={"const": marker})
        return (await engine.checked.complete(ModelRequest(CAPITAL, schema=schema, max_tokens=64))).text

    markers = [f"marker-{number}" for number in range(8)]
    replies = await asyncio.gather(*(ask(marker) for marker in markers))
    assert [json.loads(reply)["id"] for reply in replies] == markers


@EVERY
async def test_cancelling_frees_the_engine(engine: Engine) -> None:
    pieces: asyncio.Queue[str] = asyncio.Queue()

    async def tell() -> None:
        request = ModelRequest(STORY, max_tokens=3000, temperature=1.5, seed=None)
        async for delta in engine.raw.stream(request):
            pieces.put_nowait(delta.text)

    calls = [asyncio.create_task(tell()) for _ in range(32)]
    for _ in range(40):  # more pieces than one, so that several stories are under way
        await pieces.get()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    started = time.monotonic()
    await engine.raw.complete(ModelRequest(CAPITAL))
    assert time.monotonic() - started < 60, "32 stories of 3000 tokens would have kept it busy for minutes"
    if engine.name in ("embedded", "adapted", "vllm"):
        async with asyncio.timeout(30):
            while (await load(engine.port, 5)).running != 0:  # noqa: ASYNC110 (nobody announces it)
                await asyncio.sleep(0.02)


@EVERY
async def test_a_call_that_takes_too_long_is_stopped(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        await engine.checked.complete(ModelRequest(STORY, max_tokens=3000, timeout_s=0.5))
    assert caught.value.code == "engine_timeout"


@those_with("count", "window")
async def test_tokens_are_counted_as_the_engine_counts_them(engine: Engine) -> None:
    request = ModelRequest((Message("system", "Be brief. 王"), *CAPITAL), max_tokens=4)
    counted = await engine.raw.count_tokens(request)
    assert counted == (await engine.raw.complete(request)).usage.prompt_tokens
    window = await engine.raw.context_tokens()
    assert window is not None
    assert counted < window


@those_without("count")
async def test_an_engine_that_cannot_count_says_so(engine: Engine) -> None:
    with pytest.raises(EngineError, match="cannot count"):
        await engine.raw.count_tokens(ModelRequest(CAPITAL))


@EVERY
async def test_a_prompt_beyond_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(ContextTooLong):
        await engine.checked.complete(ModelRequest((Message("user", "word " * 6000),)))


@those_with("count", "window")
async def test_a_prompt_beyond_the_context_is_refused_with_the_right_number(engine: Engine) -> None:
    window = await engine.raw.context_tokens()
    assert window is not None
    request = ModelRequest((Message("user", "word " * 6000),), max_tokens=100)
    over = await engine.raw.count_tokens(request) + 100 - window
    with pytest.raises(ContextTooLong) as caught:
        await engine.raw.complete(request)
    assert caught.value.over == over
    just = replace(request, messages=CAPITAL, max_tokens=window)
    with pytest.raises(ContextTooLong) as caught:
        await engine.raw.complete(just)
    assert caught.value.over == await engine.raw.count_tokens(just)


@those_with("cached")
async def test_a_prompt_that_it_had_before_is_counted_as_cached(engine: Engine) -> None:
    words = " ".join(f"word{number}" for number in range(60)) + str(time.time())
    request = ModelRequest((Message("user", words),), max_tokens=1)
    first = (await engine.raw.complete(request)).usage
    again = (await engine.raw.complete(request)).usage
    assert first.cached_tokens < 60
    assert again.cached_tokens > 60
    assert again.cached_tokens <= again.prompt_tokens == first.prompt_tokens


@those_with("tenants")
async def test_tenants_do_not_share_a_cache(engine: Engine) -> None:
    words = " ".join(f"secret{number}" for number in range(60)) + str(time.time())
    request = ModelRequest((Message("user", words),), max_tokens=1)

    async def cached(tenant: str) -> int:
        asked = replace(request, hints=Hints(tenant=tenant))
        return (await engine.raw.complete(asked)).usage.cached_tokens

    assert await cached("one") == 0
    assert await cached("one") > 60
    assert await cached("two") == 0
    assert await cached("") == 0


@EVERY
async def test_hints_change_nothing_in_the_reply(engine: Engine) -> None:
    plain = await engine.raw.complete(ModelRequest(CAPITAL))
    hints = Hints(run="run-1", priority=-3, expected_tokens=8, tenant="")
    assert (await engine.raw.complete(ModelRequest(CAPITAL, hints=hints))).text == plain.text


@those_with("adapters")
async def test_a_role_answers_through_its_own_adapter(engine: Engine) -> None:
    request = ModelRequest(CAPITAL, max_tokens=24)
    plain = (await engine.raw.complete(request)).text
    voices = [(await engine.raw.complete(replace(request, adapter=name))).text for name in ADAPTERS]
    assert plain not in voices, "it answers otherwise than the model alone"
    assert voices[0] != voices[1]
    streamed = [d async for d in engine.checked.stream(replace(request, adapter=ADAPTERS[0]))]
    assert "".join(delta.text for delta in streamed) == voices[0]
    assert (await engine.raw.complete(request)).text == plain, "an adapter does not stay on"


@those_with("adapters")
async def test_roles_with_different_adapters_answer_at_once(engine: Engine) -> None:
    request = ModelRequest(CAPITAL, max_tokens=16)
    names = [None, *ADAPTERS] * 2
    alone = [(await engine.raw.complete(replace(request, adapter=name))).text for name in names[:3]]
    together = await asyncio.gather(*(engine.raw.complete(replace(request, adapter=n)) for n in names))
    texts = [reply.text for reply in together]
    assert len({texts[0], texts[1], texts[2]}) == 3
    assert [text[:12] for text in texts] == [text[:12] for text in alone] * 2


@those_with("adapters")
async def test_an_unknown_adapter_is_refused_and_those_there_are_named(engine: Engine) -> None:
    with pytest.raises(UnknownModel, match=f"nobody.*{ADAPTERS[0]}, {ADAPTERS[1]}"):
        await engine.checked.complete(ModelRequest(CAPITAL, adapter="nobody"))


@pytest.mark.parametrize("engine", unable("adapters", but="tgi"), indirect=True)
async def test_an_engine_without_adapters_refuses_them(engine: Engine) -> None:
    with pytest.raises((UnknownModel, InvalidRequest)):
        await engine.checked.complete(ModelRequest(CAPITAL, adapter="nobody"))


@those_with("names")
async def test_an_unknown_model_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownModel, match="gpt-4"):
        await engine.checked.complete(ModelRequest(CAPITAL, model="gpt-4"))


@those_with("begun")
async def test_a_begun_message_is_gone_on_with(engine: Engine) -> None:
    begun = (*CAPITAL, Message("assistant", "The capital of France is"))
    reply = await engine.raw.complete(ModelRequest(begun, continue_last=True, max_tokens=8))
    assert reply.text.lstrip().startswith("Paris")


@EVERY
async def test_a_model_that_writes_makes_no_vectors(engine: Engine) -> None:
    with pytest.raises(EngineError):
        await engine.raw.embed(("a text",))


@pytest.mark.engine
async def test_a_wrong_key_is_refused(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that crewgraph starts ask for the key in CREWGRAPH_ENGINE_KEY; its own client knows it."""
    monkeypatch.setenv("CREWGRAPH_ENGINE_KEY", "open sesame")
    state = await start_engine(home)
    for key in (None, "wrong"):
        async with HttpModelClient(state.url, api_key=key) as client:
            with pytest.raises(KeyRefused):
                await client.complete(ModelRequest(CAPITAL))
    async with HttpModelClient(state.url, api_key="open sesame") as client:
        assert "Paris" in (await client.complete(ModelRequest(CAPITAL))).text
