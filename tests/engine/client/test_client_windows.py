"""What does not fit a model's window is told before it is sent, and by how many tokens; what fits costs nothing."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from crewgraph.agents.model import Message, ModelRequest
from crewgraph.runtime.errors import ContextTooLong, EngineError, EngineTimeout
from crewgraph.serving.client import EngineKind

from .protocol_fake import QUESTION, Act, Pause, ProtocolFake, completion, refuses, says


def counted(prompt_tokens: int) -> Act:
    async def act(_: web.Request) -> web.Response:
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 1}
        return web.json_response(completion("Paris") | {"usage": usage})

    return act


LONG = (Message("user", "word " * 2000),)


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_too_long_is_told_before_it_is_sent_and_by_how_much(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 2048}]
    fake.answers["/tokenize"] = {"count": 2030, "max_model_len": 2048, "tokens": []}
    async with fake.client() as client:
        with pytest.raises(
            ContextTooLong, match="2030 tokens and the reply may be 50, 32 more than"
        ) as caught:
            await client.complete(ModelRequest(LONG, max_tokens=50))
    assert caught.value.over == 32
    assert [sorted(body) for body in fake.bodies] == [["messages", "model"]], "only the tokenizer was asked"


@pytest.mark.parametrize("fake", ["llamacpp"], indirect=True)
async def test_llama_cpp_counts_with_its_chat_template(fake: ProtocolFake) -> None:
    fake.answers["/props"] = {
        "default_generation_settings": {"n_ctx": 2048, "params": {}},
        "chat_template_caps": {"supports_tools": False},
    }
    fake.answers["/apply-template"] = {"prompt": "<|im_start|>word"}
    fake.answers["/tokenize"] = {"tokens": [1] * 2047}
    async with fake.client() as client:
        assert await client.context_tokens() == 2048
        assert (await client.served()).native_tools is False
        assert await client.count_tokens(ModelRequest(QUESTION)) == 2047
        with pytest.raises(ContextTooLong) as caught:
            await client.complete(ModelRequest(LONG, max_tokens=2))
    assert caught.value.over == 1


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_what_fits_by_its_bytes_is_not_counted(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 20_000}]
    fake.acts = [says("Paris")]
    async with fake.client() as client:
        await client.complete(ModelRequest(LONG))
    assert fake.asked == []


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_what_fits_by_what_tokens_were_so_far_is_not_counted(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 8000}]
    fake.answers["/tokenize"] = {"count": 2000}

    fake.acts = [counted(2000)]
    async with fake.client() as client:
        for _ in range(3):
            await client.complete(ModelRequest(LONG))
    assert fake.asked == ["/tokenize"]


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_many_that_begin_at_once_have_one_of_them_counted(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 8000}]
    fake.answers["/tokenize"] = {"count": 2000}
    fake.acts = [counted(2000)]
    async with fake.client() as client, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(client.complete(ModelRequest(LONG)))
    assert fake.asked == ["/tokenize"]


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_prompts_that_nearly_fill_the_window_are_counted_side_by_side(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 2100}]
    fake.answers["/tokenize"] = {"count": 2000}
    fake.acts = [counted(2000)]
    async with fake.client() as client, asyncio.timeout(10):
        await client.complete(ModelRequest(LONG, max_tokens=50))
        fake.answers["/tokenize"] = counting = Pause()
        both = asyncio.gather(*(client.complete(ModelRequest(LONG, max_tokens=50)) for _ in range(2)))
        while len(fake.asked) < 3:
            counting.reached.clear()
            await counting.reached.wait()
        counting.answer.set_result({"count": 2000})
        assert [reply.text for reply in await both] == ["Paris", "Paris"]


@pytest.mark.parametrize("fake", ["vllm"], indirect=True)
async def test_who_waits_for_anothers_count_waits_no_longer_than_it_may(fake: ProtocolFake) -> None:
    fake.entries = [{"id": "small", "max_model_len": 8000}]
    fake.answers["/tokenize"] = counting = Pause()
    fake.acts = [counted(2000)]
    async with fake.client() as client:
        patient = asyncio.create_task(client.complete(ModelRequest(LONG)))
        await counting.reached.wait()
        with pytest.raises(EngineTimeout, match="did not answer in full in the time"):
            await client.complete(ModelRequest(LONG, timeout_s=0.05))
        counting.answer.set_result({"count": 2000})
        assert (await patient).text == "Paris"


@pytest.mark.parametrize(
    ("kind", "said", "over"),
    [
        ("vllm", "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens (2000 in the "
         "messages, 100 in the completion). Please reduce the length of the messages or completion.", 52),
        ("vllm", "'max_tokens' or 'max_completion_tokens' is too large: 2040. This model's maximum context length is "
         "2048 tokens and your request has 31 input tokens (2040 > 2048 - 31).", 23),
        ("vllm", "You passed 2040 input tokens and requested 16 output tokens. However, the model's context length is "
         "only 2048 tokens, resulting in a maximum input length of 2032 tokens.", 8),
        ("vllm", "The decoder prompt (length 6000) is longer than the maximum model length of 2048.", None),
        ("openai", "Your input exceeds the context window of this model.", None),
    ],
)  # fmt: skip
async def test_an_engine_that_refuses_for_length_means_the_same(
    fake: ProtocolFake, kind: EngineKind, said: str, over: int | None
) -> None:
    fake.acts = [refuses(400, said)]
    async with fake.client(kind=kind, model="small") as client:
        with pytest.raises(ContextTooLong) as caught:
            await client.complete(ModelRequest(QUESTION))
    assert caught.value.over == over


async def test_an_engine_that_cannot_count_says_so(fake: ProtocolFake) -> None:
    async with fake.client(kind="openai", model="small") as client:
        with pytest.raises(EngineError, match="cannot count tokens"):
            await client.count_tokens(ModelRequest(QUESTION))
        assert await client.context_tokens() is None


async def test_a_hosted_engine_that_lists_nothing_still_answers(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris")]
    fake.url = fake.url.replace("/v1", "/hosted/v1")
    fake.answers["/hosted/v1/models"] = 404
    fake.answers["/hosted/v1/chat/completions"] = {
        "choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]
    }
    async with fake.client(kind="openai", model="small") as client:
        assert (await client.complete(ModelRequest(LONG))).text == "Paris"
