"""One contract over other frameworks' models taken as our client.

Each framework's model here is our own adapter over a script, so that the whole way there and back is held; models of
the frameworks' own stand beside them where one runs without a network.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crewgraph import Agent, Crew, Settings, run
from crewgraph.agents import interop
from crewgraph.agents.model import Message, ModelClient, ModelRequest, ToolCall, ToolSpec
from crewgraph.runtime.errors import (
    EngineError,
    EngineTimeout,
    InvalidRequest,
    ModelError,
)

from .frameworks import FRAMEWORKS, installed, without
from .scripted import Endless, Script, Talker

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning"
)

Taken = Callable[[ModelClient], ModelClient]
ASKED = (Message("system", "You sell."), Message("user", "What does ink cost?"))
INK = ToolCall("c1", "price", {"item": "ink"})
PRICE = ToolSpec(
    "price",
    "The price of an item.",
    {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]},
)


@pytest.fixture(params=[name for name in FRAMEWORKS if installed(name)])
def taken(request: pytest.FixtureRequest) -> Taken:
    """Makes the framework's model over a client of ours, and takes that as a client of ours."""
    if request.param == "langchain":
        return lambda inner: interop.from_langchain(interop.as_langchain(inner))
    if request.param == "crewai":
        request.getfixturevalue("crewai_here")
        return lambda inner: interop.from_crewai(interop.as_crewai(inner))
    request.getfixturevalue("autogen_here")
    return lambda inner: interop.from_autogen(interop.as_autogen(inner))


def test_all_frameworks_are_held_to_the_contract() -> None:
    if missing := [name for name in FRAMEWORKS if not installed(name)]:
        pytest.skip(without(" and ".join(missing)))


async def test_it_is_a_client_with_a_name(taken: Taken) -> None:
    client = taken(Script())
    assert isinstance(client, ModelClient)
    assert len(await client.models()) == 1


async def test_text_settings_usage_and_finish_reason_go_through(taken: Taken) -> None:
    script = Script("nine euros")
    client = taken(script)
    reply = await client.complete(
        ModelRequest(ASKED, max_tokens=33, temperature=0.25, seed=5, stop=("\n\n",))
    )
    assert (reply.text, reply.finish_reason) == ("nine euros", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (6, 2)
    assert reply.model
    (got,) = script.requests
    assert (got.messages, got.max_tokens, got.temperature, got.seed, got.stop) == (
        ASKED,
        33,
        0.25,
        5,
        ("\n\n",),
    )


async def test_a_stream_sums_to_the_reply_it_ends_with(taken: Taken) -> None:
    deltas = [delta async for delta in taken(Script("one two three")).stream(ModelRequest(ASKED))]
    last = deltas[-1].reply
    assert last is not None
    assert [delta.text for delta in deltas if delta.text] == ["one", " two", " three"]
    assert last.text == "one two three"
    assert last.usage.completion_tokens == 3
    assert all(delta.reply is None for delta in deltas[:-1])


async def test_nothing_is_printed(
    taken: Taken, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if installed("crewai"):
        from crewai.events.event_listener import EventListener

        monkeypatch.setattr(EventListener().formatter, "verbose", True)  # as CrewAI's own commands have it
    async for _ in taken(Script("one two three")).stream(ModelRequest(ASKED)):
        pass
    if installed("crewai"):
        from crewai.events.event_bus import crewai_event_bus

        crewai_event_bus.flush()  # what draws on the terminal runs in a thread
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_and_their_results_go_through(taken: Taken, stream: bool) -> None:
    script = Script(INK, "nine euros")
    client = taken(script)

    async def ask(request: ModelRequest) -> Any:
        if not stream:
            return await client.complete(request)
        return [delta async for delta in client.stream(request)][-1].reply

    reply = await ask(ModelRequest(ASKED, tools=(PRICE,)))
    assert (reply.finish_reason, reply.tool_calls) == ("tool_calls", (INK,))
    told = (*ASKED, Message("assistant", "", (INK,)), Message("tool", "9", (), "c1"))
    assert (await ask(ModelRequest(told, tools=(PRICE,)))).text == "nine euros"
    assert script.requests[0].tools == (PRICE,)
    assert script.requests[1].messages == told


async def test_a_tool_that_had_to_be_called_and_was_not_is_an_error(taken: Taken) -> None:
    with pytest.raises(ModelError, match="was to call a tool and called none"):
        await taken(Script("no")).complete(ModelRequest(ASKED, tools=(PRICE,), tool_choice="required"))


async def test_tools_that_must_not_be_called_are_not_shown(taken: Taken) -> None:
    script = Script("fine")
    await taken(script).complete(ModelRequest(ASKED, tools=(PRICE,), tool_choice="none"))
    assert script.requests[0].tools == ()


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"item": {"enum": ["ink", "pen"]}, "euros": {"type": "integer"}},
    "required": ["item", "euros"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_reaches_the_engine(taken: Taken, stream: bool) -> None:
    script = Script('{"item": "ink", "euros": 9}')
    client = taken(script)
    request = ModelRequest(ASKED, schema=SCHEMA)
    deltas = [delta async for delta in client.stream(request)] if stream else []
    text = "".join(delta.text for delta in deltas) or (await client.complete(request)).text
    assert json.loads(text) == {"item": "ink", "euros": 9}
    got = script.requests[0].schema
    assert got is not None
    assert {name: got[name] for name in SCHEMA} == SCHEMA


async def test_a_choice_is_one_of_the_choices(taken: Taken) -> None:
    client = taken(Script('{"choice": "pen"}', '{"choice": "cat"}'))
    assert (await client.complete(ModelRequest(ASKED, choices=("ink", "pen")))).text == "pen"
    with pytest.raises(ModelError, match="is not one of the choices"):
        await client.complete(ModelRequest(ASKED, choices=("ink", "pen")))


async def test_a_constrained_reply_that_is_no_json_is_never_passed_on(taken: Taken) -> None:
    with pytest.raises(EngineError):
        await taken(Script("ink, I think")).complete(ModelRequest(ASKED, schema=SCHEMA))


async def test_what_no_framework_knows_is_refused_before_anything_is_sent(taken: Taken) -> None:
    script = Script()
    client = taken(script)
    with pytest.raises(InvalidRequest, match="cannot be held to a pattern"):
        await client.complete(ModelRequest(ASKED, regex="a+"))
    with pytest.raises(InvalidRequest, match="cannot be held to a grammar"):
        [delta async for delta in client.stream(ModelRequest(ASKED, grammar='root ::= "a"'))]
    with pytest.raises(InvalidRequest, match="takes no LoRA adapter"):
        await client.complete(ModelRequest(ASKED, adapter="x"))
    assert script.requests == []


async def test_a_deadline_ends_the_call(taken: Taken) -> None:
    talker = Talker()
    with pytest.raises(EngineTimeout, match=r"within 0\.1 s"):
        await taken(talker).complete(ModelRequest(ASKED, timeout_s=0.1))
    await talker.stopped.wait()
    talker.stopped.clear()
    with pytest.raises(EngineTimeout):
        async for _ in taken(talker).stream(ModelRequest(ASKED, timeout_s=0.1)):
            pass
    await talker.stopped.wait()
    assert talker.talking == 0


async def test_cancelling_a_call_ends_it(taken: Taken) -> None:
    talker = Talker()
    call = asyncio.create_task(taken(talker).complete(ModelRequest(ASKED)))
    await talker.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await talker.stopped.wait()
    assert talker.talking == 0


async def test_closing_a_stream_ends_the_call(taken: Taken) -> None:
    talker = Talker()
    stream = taken(talker).stream(ModelRequest(ASKED))
    assert (await anext(stream)).text == "and "
    await stream.aclose()
    await talker.stopped.wait()
    assert talker.talking == 0


async def test_an_error_of_ours_keeps_its_type_and_others_become_ours(taken: Taken) -> None:
    class Failing(Script):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self._error = error

        async def complete(self, request: ModelRequest) -> Any:
            raise self._error

    with pytest.raises(ModelError, match="no use"):
        await taken(Failing(ModelError("no use"))).complete(ModelRequest(ASKED))
    with pytest.raises(EngineError, match="failed: OSError: broken pipe"):
        await taken(Failing(OSError("broken pipe"))).complete(ModelRequest(ASKED))


async def test_a_crew_of_crewgraphs_works_on_it(taken: Taken, tmp_path: Path) -> None:
    def answer(request: ModelRequest) -> str:
        if request.schema is None:
            return "With pleasure, the shop is open."
        choice = request.schema.get("properties", {}).get("choice")
        return json.dumps({"choice": choice["enum"][0]} if choice else {"tasks": []})

    script = Endless(answer)
    crew = Crew([Agent("host", "Answer politely.")], name="shop")
    settings = Settings(home=tmp_path, model_url=None, model=None)
    outcome = await run(crew, "hello", settings=settings, client=taken(script))
    assert "the shop is open" in outcome.answer
    assert script.requests, "it was asked through the other framework"


async def test_langchains_own_fake_model_is_taken() -> None:
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    client = interop.from_langchain(
        GenericFakeChatModel(messages=iter([AIMessage("one two"), AIMessage("three four")]))
    )
    assert (await client.complete(ModelRequest(ASKED))).text == "one two"
    deltas = [delta async for delta in client.stream(ModelRequest(ASKED))]
    assert "".join(delta.text for delta in deltas) == "three four"
    with pytest.raises(InvalidRequest, match="cannot call tools"):
        await client.complete(ModelRequest(ASKED, tools=(PRICE,)))
    with pytest.raises(InvalidRequest, match="cannot be held to a schema"):
        await client.complete(ModelRequest(ASKED, schema=SCHEMA))
    with pytest.raises(EngineError, match="cannot count tokens"):
        await client.count_tokens(ModelRequest(ASKED))


@pytest.mark.usefixtures("autogen_here")
async def test_autogens_own_replay_client_is_taken() -> None:
    from autogen_ext.models.replay import ReplayChatCompletionClient

    client = interop.from_autogen(ReplayChatCompletionClient(["one two", "three four"]))
    reply = await client.complete(ModelRequest(ASKED))
    assert (reply.text, reply.usage.completion_tokens) == ("one two", 2)
    deltas = [delta async for delta in client.stream(ModelRequest(ASKED))]
    assert "".join(delta.text for delta in deltas) == "three four"
    with pytest.raises(InvalidRequest, match="cannot call tools"):
        await client.complete(ModelRequest(ASKED, tools=(PRICE,)))
    with pytest.raises(InvalidRequest, match="neither to a schema nor to JSON"):
        await client.complete(ModelRequest(ASKED, schema=SCHEMA))


@pytest.mark.usefixtures("crewai_here")
async def test_a_crewai_llm_with_only_a_synchronous_door_is_taken() -> None:
    from crewai import BaseLLM

    class Old(BaseLLM):
        def call(self, messages: Any, *args: Any, **more: Any) -> str:
            return f"heard {len(messages)}"

    client = interop.from_crewai(Old(model="old"))
    assert (await client.complete(ModelRequest(ASKED))).text == "heard 2"
    deltas = [delta async for delta in client.stream(ModelRequest(ASKED))]
    assert [delta.text for delta in deltas] == ["heard 2", ""]
    with pytest.raises(InvalidRequest, match="cannot call tools"):
        await client.complete(ModelRequest(ASKED, tools=(PRICE,)))
    with pytest.raises(InvalidRequest, match="str is no CrewAI LLM"):
        interop.from_crewai("gpt-4")


async def test_settings_that_are_kept_stay() -> None:
    script = Script("fine")
    client = interop.from_langchain(interop.as_langchain(script, temperature=0.9), keep=("temperature",))
    await client.complete(ModelRequest(ASKED, temperature=0.1, max_tokens=7))
    assert (script.requests[0].temperature, script.requests[0].max_tokens) == (0.9, 7)
