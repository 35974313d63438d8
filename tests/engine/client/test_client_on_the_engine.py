"""What the client claims of the embedded engine, on the real one."""

from __future__ import annotations

import pytest

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import ContextTooLong, EngineError, InvalidSchema
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

pytestmark = pytest.mark.engine
CAPITAL = (Message("user", "What is the capital of France? Ça va, 東京?"),)


async def test_tokens_are_counted_as_the_engine_counts_them(shared_home: Settings) -> None:
    talk = (
        Message("system", "Be brief."),
        *CAPITAL,
        Message("assistant", "Paris."),
        Message("user", "Sure?"),
    )
    async with engine_client(shared_home) as client:
        for messages in (CAPITAL, talk):
            request = ModelRequest(messages, max_tokens=4)
            assert await client.count_tokens(request) == (await client.complete(request)).usage.prompt_tokens


async def test_a_prompt_is_refused_by_its_own_count_just_above_the_window(shared_home: Settings) -> None:
    async with engine_client(shared_home) as client:
        window = await client.context_tokens()
        assert window is not None
        request = ModelRequest((Message("user", "word " * (window // 2)),))
        room = window - await client.count_tokens(request)
        reply = await client.complete(
            ModelRequest(request.messages, max_tokens=room, stop=("a", "e", "i", "o", "u", " "))
        )
        assert reply.usage.prompt_tokens == window - room
        with pytest.raises(ContextTooLong) as caught:
            await client.complete(ModelRequest(request.messages, max_tokens=room + 7))
    assert caught.value.over == 7


async def test_a_begun_message_is_gone_on_with(shared_home: Settings) -> None:
    begun = "The capital of France is"
    request = ModelRequest((*CAPITAL, Message("assistant", begun)), max_tokens=6, continue_last=True)
    async with engine_client(shared_home) as client:
        whole = await client.complete(request)
        streamed = "".join([delta.text async for delta in client.stream(request)])
    assert not whole.text.startswith(begun)
    assert whole.text.strip().startswith("Paris")
    assert streamed.strip() == whole.text.strip()


async def test_what_it_cannot_do_is_a_clear_error(shared_home: Settings) -> None:
    async with engine_client(shared_home) as client:
        with pytest.raises(EngineError, match="501"):
            await client.embed(("a",))
        with pytest.raises(InvalidSchema):
            await client.complete(ModelRequest(CAPITAL, schema={"type": "strange"}))
        with pytest.raises(InvalidSchema):
            await client.complete(ModelRequest(CAPITAL, grammar="root ::= nope ("))
