"""Our model client inside AutoGen's agents and teams: text, tools, schemas, streams, and teams that are cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from crewgraph.agents.interop import as_autogen
from crewgraph.agents.model import Message, ModelClient, ModelReply, ModelRequest, ToolCall, Usage
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineError, InvalidRequest

from .frameworks import installed, without
from .scripted import Script, Talker

if not installed("autogen"):
    pytest.skip(without("AutoGen"), allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("autogen_here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of protobuf, at AutoGen's import
]

INK = ToolCall("c1", "price", {"item": "ink"})


def agent_of(client: Any, name: str = "clerk", **more: Any) -> Any:
    from autogen_agentchat.agents import AssistantAgent

    return AssistantAgent(name, model_client=client, system_message=f"You are the {name}.", **more)


def team_of(client: Any, turns: int = 2, **more: Any) -> Any:
    from autogen_agentchat.conditions import MaxMessageTermination
    from autogen_agentchat.teams import RoundRobinGroupChat

    agents = [agent_of(client, "clerk", **more), agent_of(client, "writer", **more)]
    return RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(turns + 1))


async def test_an_assistant_answers() -> None:
    client = Script("Ink costs 9 euros.")
    done = await agent_of(as_autogen(client, max_tokens=77)).run(task="What does ink cost?")
    assert done.messages[-1].content == "Ink costs 9 euros."
    assert client.requests[0].max_tokens == 77
    assert client.requests[0].messages == (
        Message("system", "You are the clerk."),
        Message("user", "What does ink cost?"),
    )


async def test_a_team_takes_turns() -> None:
    client = Script("one", "two", "three")
    done = await team_of(as_autogen(client), turns=3).run(task="Count.")
    assert [message.content for message in done.messages] == ["Count.", "one", "two", "three"]
    assert [request.messages[0].content for request in client.requests] == [
        "You are the clerk.",
        "You are the writer.",
        "You are the clerk.",
    ]
    assert client.requests[2].messages[2:] == (Message("assistant", "one"), Message("user", "two"))


async def test_speakers_are_named_where_it_is_wished() -> None:
    client = Script("one", "two")
    await team_of(as_autogen(client, name_speakers=True)).run(task="Count.")
    assert [m.content for m in client.requests[1].messages[1:]] == ["user: Count.", "clerk: one"]


async def test_an_agents_tool_is_called_and_its_result_comes_back() -> None:
    calls: list[str] = []

    async def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        return f"{item}: 9 euros"

    client = Script(INK, "Ink costs 9 euros.")
    agent = agent_of(as_autogen(client), tools=[price], reflect_on_tool_use=True)
    done = await agent.run(task="What does ink cost?")
    assert done.messages[-1].content == "Ink costs 9 euros."
    assert calls == ["ink"]
    first, second = client.requests
    assert (first.tools[0].name, first.tools[0].description) == ("price", "The price of an item.")
    assert second.messages[2:] == (
        Message("assistant", "", (INK,)),
        Message("tool", "ink: 9 euros", (), "c1"),
    )


class Price(BaseModel):
    item: str
    euros: int


async def test_an_agents_output_type_is_decoded_under_its_schema() -> None:
    client = ScriptedModel(['{"item": "ink", "euros": 9}'])
    done = await agent_of(as_autogen(client), output_content_type=Price).run(task="Ink?")
    assert done.messages[-1].content == Price(item="ink", euros=9)
    assert client.requests[0].schema is not None
    assert set(client.requests[0].schema["properties"]) == {"item", "euros"}


async def test_an_agent_streams_the_models_words() -> None:
    agent = agent_of(as_autogen(Script("one two three")), model_client_stream=True)
    heard = [event async for event in agent.run_stream(task="Count.")]
    pieces = [e.content for e in heard if type(e).__name__ == "ModelClientStreamingChunkEvent"]
    assert pieces == ["one", " two", " three"]
    assert heard[-1].messages[-1].content == "one two three"


async def test_usage_is_counted_by_call_and_in_all() -> None:
    from autogen_core.models import UserMessage

    client = as_autogen(Script("one two", "three"))
    first = await client.create([UserMessage(content="three words here", source="user")])
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (3, 2)
    assert (first.finish_reason, first.cached) == ("stop", False)
    await client.create([UserMessage(content="again", source="user")])
    assert (client.actual_usage().prompt_tokens, client.actual_usage().completion_tokens) == (1, 1)
    assert (client.total_usage().prompt_tokens, client.total_usage().completion_tokens) == (4, 3)


async def test_tokens_are_counted_as_the_engine_counted_last() -> None:
    from autogen_core.models import UserMessage

    client = as_autogen(Script("yes"))
    long = [UserMessage(content="abcdefghi " * 10, source="user")]
    assert client.count_tokens(long) == 25
    assert client.remaining_tokens(long) == 4096 - 25
    await client.create(long)
    assert client.count_tokens(long) == 10, "the engine's tokens have ten characters"
    assert client.remaining_tokens(long) == 777 - 10, "the engine told its window"


async def test_a_reply_from_a_cache_says_so() -> None:
    from autogen_core.models import UserMessage

    class Cached(Script):
        async def complete(self, request: ModelRequest) -> ModelReply:
            return ModelReply("yes", "length", Usage(saved_tokens=9), "script")

    done = await as_autogen(Cached()).create([UserMessage(content="well?", source="user")])
    assert (done.cached, done.finish_reason) == (True, "length")


async def test_settings_of_a_call_go_before_those_of_the_client() -> None:
    from autogen_core.models import UserMessage

    client = Script("yes", "{}")
    ours = as_autogen(client, temperature=0.5, max_tokens=10)
    said = [UserMessage(content="well?", source="user")]
    await ours.create(said, extra_create_args={"max_tokens": 20, "stop": "x"})
    request = client.requests[0]
    assert (request.temperature, request.max_tokens, request.stop) == (0.5, 20, ("x",))
    await ours.create(said, json_output=True)
    assert client.requests[1].schema == {"type": "object"}
    with pytest.raises(InvalidRequest, match="warmth: not a setting"):
        await ours.create(said, extra_create_args={"warmth": 1})
    with pytest.raises(InvalidRequest, match="warmth: not a setting"):
        as_autogen(client, warmth=1)


async def test_an_image_is_refused() -> None:
    from autogen_core import Image
    from autogen_core.models import UserMessage
    from PIL import Image as Picture

    picture = Image(Picture.new("RGB", (1, 1)))
    with pytest.raises(InvalidRequest, match=r"message 1 carries something other than text \(Image\)"):
        await as_autogen(Script()).create([UserMessage(content=["look", picture], source="user")])


async def test_an_engines_error_keeps_its_type() -> None:
    class Away(Script):
        async def complete(self, request: ModelRequest) -> Any:
            raise EngineError("away")

    with pytest.raises(EngineError, match="away"):
        await agent_of(as_autogen(Away())).run(task="well?")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancellation_token_ends_the_call(stream: bool) -> None:
    from autogen_core import CancellationToken

    client = Talker()
    token = CancellationToken()
    agent = agent_of(as_autogen(client), model_client_stream=stream)
    work = asyncio.create_task(agent.run(task="talk", cancellation_token=token))
    await client.begun.wait()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await client.stopped.wait()
    assert (client.talking, client.calls) == (0, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_team_leaves_no_call_under_way(stream: bool) -> None:
    from autogen_core import CancellationToken

    client = Talker()
    token = CancellationToken()
    team = team_of(as_autogen(client), model_client_stream=stream)
    work = asyncio.create_task(team.run(task="talk", cancellation_token=token))
    await client.begun.wait()
    token.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await client.stopped.wait()
    assert client.talking == 0


async def test_leaving_a_stream_ends_the_call() -> None:
    from autogen_core.models import UserMessage

    client = Talker()
    stream = as_autogen(client).create_stream([UserMessage(content="talk", source="user")])
    assert await anext(stream) == "and "
    await stream.aclose()
    assert client.talking == 0


async def test_a_real_engine_drives_a_team(engine: ModelClient) -> None:
    client = as_autogen(engine, max_tokens=32)
    team = team_of(client, model_client_stream=True)
    heard = [event async for event in team.run_stream(task="Name a river in France.")]
    pieces = [e for e in heard if type(e).__name__ == "ModelClientStreamingChunkEvent"]
    texts = heard[-1].messages
    assert len(pieces) > 4
    assert [message.source for message in texts] == ["user", "clerk", "writer"]
    assert all(message.content for message in texts)
    assert client.total_usage().completion_tokens >= len(pieces) / 2
    assert client.remaining_tokens([]) > 0


async def test_a_real_engine_calls_an_agents_tool(engine: ModelClient) -> None:
    from autogen_core.models import UserMessage
    from autogen_core.tools import FunctionTool

    async def price(item: str) -> str:
        """The price of an item."""
        return f"{item}: 9 euros"

    tool = FunctionTool(price, description="The price of an item.")
    said = [UserMessage(content="What does ink cost?", source="user")]
    done = await as_autogen(engine, max_tokens=64).create(said, tools=[tool], tool_choice=tool)
    assert done.finish_reason == "function_calls"
    assert [call.name for call in done.content] == ["price"]
    assert done.usage.completion_tokens > 0


async def test_a_cancelled_team_frees_a_real_engine(engine: ModelClient) -> None:
    from autogen_core import CancellationToken

    client = as_autogen(engine, max_tokens=1500, temperature=1.5)
    token = CancellationToken()
    begun = asyncio.Event()

    async def tell() -> None:
        team = team_of(client, model_client_stream=True)
        async for event in team.run_stream(
            task="Tell a very long story about a river, with every detail.", cancellation_token=token
        ):
            if type(event).__name__ == "ModelClientStreamingChunkEvent":
                begun.set()

    stories = [asyncio.create_task(tell()) for _ in range(4)]
    await begun.wait()
    token.cancel()
    await asyncio.gather(*stories, return_exceptions=True)
    async with asyncio.timeout(20):  # 4 stories of 1,500 tokens would have kept it busy for minutes
        assert (await engine.complete(ModelRequest((Message("user", "Say hello."),), max_tokens=8))).text
