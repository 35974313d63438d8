"""The client keeps its promises over servers that misbehave. The server here is a protocol fake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from crewgraph.agents.model import Message, ModelReply, ModelRequest
from crewgraph.runtime.errors import EngineError, InvalidRequest, ModelError, ReplyTruncated
from crewgraph.serving.client import EngineKind, HttpModelClient

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ProtocolFake:
    """A protocol fake, no engine: it plays one act for each chat request and remembers what it was sent."""

    def __init__(self, owner: str) -> None:
        self.acts: list[Act] = []
        self.bodies: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.owner = owner
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return await act(request)

    async def models(self, _: web.Request) -> web.Response:
        entries = [{"id": name, "object": "model", "owned_by": self.owner} for name in ("small", "large")]
        return web.json_response({"object": "list", "data": entries})

    def client(self, *, kind: EngineKind | None = None, **options: Any) -> HttpModelClient:
        return HttpModelClient(self.url, engine_kind=kind, **options)


def says(text: str, finish: str = "stop", tokens: int = 5) -> Act:
    async def act(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "model": "small",
                "choices": [{"index": 0, "message": {"content": text}, "finish_reason": finish}],
                "usage": {"prompt_tokens": 7, "completion_tokens": tokens},
            }
        )

    return act


def refuses(status: int, message: str = "no", headers: dict[str, str] | None = None) -> Act:
    async def act(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)

    return act


async def drops(request: web.Request) -> web.Response:
    """Closes the connection before a byte of the answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def breaks_off(start: bytes, content_type: str = "application/json") -> Act:
    """Begins an answer and closes the connection in the middle of it."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": "10000"})
        await response.prepare(request)
        await response.write(start)
        assert request.transport is not None
        request.transport.abort()
        return response

    return act


def streams(*chunks: bytes) -> Act:
    """Sends the bytes as they are, piece by piece."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return act


def event(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text is not None else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "small", "choices": [choice], **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


@pytest_asyncio.fixture
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[ProtocolFake]:
    """A protocol fake that listens; parametrize it indirectly to say who it claims to be."""
    played = ProtocolFake(getattr(request, "param", "someone"))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", played.chat)
    app.router.add_get("/v1/models", played.models)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    played.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield played
    await runner.cleanup()


QUESTION = (Message("user", "What is the capital of France?"),)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


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
        with pytest.raises(EngineError, match=r"overloaded \(503: loading\); try again later\.$"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 5


async def test_nothing_is_repeated_once_the_answer_has_begun(fake: ProtocolFake) -> None:
    fake.acts = [breaks_off(b'{"choices": [{"mess')]
    async with fake.client() as client:
        with pytest.raises(EngineError, match="broke off in the middle"):
            await client.complete(ModelRequest(QUESTION))
    assert len(fake.bodies) == 1


async def test_a_stream_that_breaks_off_is_an_error(fake: ProtocolFake) -> None:
    fake.acts = [breaks_off(event("Par"), "text/event-stream")]
    async with fake.client() as client:
        stream = client.stream(ModelRequest(QUESTION))
        assert (await anext(stream)).text == "Par"
        with pytest.raises(EngineError, match="broke off"):
            await anext(stream)


async def test_a_stream_without_an_end_is_an_error(fake: ProtocolFake) -> None:
    fake.acts = [streams(event("Par"))]
    async with fake.client() as client:
        with pytest.raises(EngineError, match="broke off"):
            async for _ in client.stream(ModelRequest(QUESTION)):
                pass


async def test_a_stream_survives_any_cut(fake: ProtocolFake) -> None:
    sent = b": ping\r\n\r\n" + event("Ä") + event("’s 東京") + event(finish="stop") + DONE
    fake.acts = [streams(*(sent[i : i + 1] for i in range(len(sent))))]
    async with fake.client() as client:
        deltas = [delta async for delta in client.stream(ModelRequest(QUESTION))]
    assert "".join(delta.text for delta in deltas) == "Ä’s 東京"
    assert deltas[-1].reply is not None
    assert deltas[-1].reply.text == "Ä’s 東京"


async def test_an_error_inside_a_stream_is_told(fake: ProtocolFake) -> None:
    fake.acts = [streams(event("Par"), b'data: {"error": {"message": "out of memory"}}\n\n')]
    async with fake.client() as client:
        with pytest.raises(ModelError, match="out of memory"):
            async for _ in client.stream(ModelRequest(QUESTION)):
                pass


async def test_a_schema_reply_that_was_cut_off_is_given_with_its_error_and_not_asked_for_again(
    fake: ProtocolFake,
) -> None:
    fake.acts = [says('{"city": "Pa', "length")]
    async with fake.client() as client:
        with pytest.raises(ReplyTruncated, match="raise max_tokens") as caught:
            await client.complete(ModelRequest(QUESTION, schema=CITY))
    assert isinstance(caught.value.reply, ModelReply)
    assert caught.value.reply.text == '{"city": "Pa'
    assert len(fake.bodies) == 1


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
        with pytest.raises(ModelError, match="cannot be used"):
            async for _ in client.stream(ModelRequest(QUESTION, schema=CITY)):
                pass


async def test_a_reply_outside_its_choices_is_never_passed_on(fake: ProtocolFake) -> None:
    fake.acts = [says("Lyon")]
    async with fake.client(kind="vllm", model="small") as client:
        with pytest.raises(ModelError, match="not one of the choices"):
            await client.complete(ModelRequest(QUESTION, choices=("Paris", "Rome")))


@pytest.mark.parametrize(
    ("fake", "answer", "constraint"),
    [
        ("vllm", "Rome", {"structured_outputs": {"choice": ["Paris", "Rome"]}}),
        ("llamacpp", "Rome", {"grammar": 'root ::= "Paris" | "Rome"'}),
        ("someone", '{"choice": "Rome"}', {}),
    ],
    indirect=["fake"],
)
async def test_a_choice_is_asked_for_in_the_dialect_of_the_engine(
    fake: ProtocolFake, answer: str, constraint: dict[str, Any]
) -> None:
    request = ModelRequest(QUESTION, choices=("Paris", "Rome"))
    fake.acts = [says(answer), streams(event(answer[:3]), event(answer[3:]), event(finish="stop"), DONE)]
    async with fake.client() as client:
        assert (await client.complete(request)).text == "Rome"
        assert [delta.text async for delta in client.stream(request)] == ["Rome", ""]
    for body in fake.bodies:
        assert constraint.items() <= body.items()
        assert ("response_format" in body) == (not constraint)
        assert "tools" not in body


async def test_schema_and_choices_together_are_refused(fake: ProtocolFake) -> None:
    async with fake.client() as client:
        with pytest.raises(InvalidRequest, match="not by both"):
            await client.complete(ModelRequest(QUESTION, schema=CITY, choices=("a",)))


async def test_the_request_carries_what_was_asked(fake: ProtocolFake) -> None:
    fake.acts = [says("Paris"), says('{"city": "Paris"}')]
    async with fake.client(model="large") as client:
        await client.complete(ModelRequest(QUESTION, max_tokens=9, temperature=0.5, seed=3, stop=("\n",)))
        await client.complete(ModelRequest(QUESTION, model="small", schema=CITY, seed=None))
    first, second = fake.bodies
    assert (first["model"], first["max_tokens"], first["temperature"]) == ("large", 9, 0.5)
    assert (first["seed"], first["stop"]) == (3, ["\n"])
    assert second["model"] == "small"
    assert "seed" not in second
    assert second["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize("fake", ["vllm", "llamacpp"], indirect=True)
async def test_an_unknown_model_is_answered_with_those_that_exist(fake: ProtocolFake) -> None:
    fake.acts = [refuses(404, "The model `huge` does not exist.")]
    async with fake.client() as client:
        with pytest.raises(EngineError, match="no model 'huge'; it serves: small, large"):
            await client.complete(ModelRequest(QUESTION, model="huge"))


async def test_a_url_without_the_api_is_told(fake: ProtocolFake) -> None:
    async with HttpModelClient(fake.url + "/v2") as client:
        with pytest.raises(EngineError, match="should end in /v1"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_url_without_a_path_gets_v1(fake: ProtocolFake) -> None:
    async with HttpModelClient(fake.url.removesuffix("/v1")) as client:
        assert await client.models() == ["small", "large"]


async def test_a_wrong_key_is_told(fake: ProtocolFake) -> None:
    fake.acts = [refuses(401)]
    async with fake.client(api_key="x") as client:
        with pytest.raises(EngineError, match="CREWGRAPH_MODEL_KEY"):
            await client.complete(ModelRequest(QUESTION))


async def test_a_refused_request_carries_the_engines_reason(fake: ProtocolFake) -> None:
    fake.acts = [refuses(400, "too many tokens")]
    async with fake.client() as client:
        with pytest.raises(ModelError, match=r"\(400\): too many tokens"):
            await client.complete(ModelRequest(QUESTION))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"])
async def test_no_engine_is_one_sentence_on_what_to_do(url: str) -> None:
    async with HttpModelClient(url) as client:
        with pytest.raises(EngineError) as caught:
            await client.complete(ModelRequest(QUESTION))
    said = str(caught.value)
    assert url in said
    assert "CREWGRAPH_MODEL_URL" in said
    assert "\n" not in said


async def test_an_engine_that_falls_silent_is_given_up(fake: ProtocolFake) -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    fake.acts = [silent]
    async with fake.client(read_timeout_s=0.2) as client:
        with pytest.raises(EngineError, match="sent nothing"):
            await client.complete(ModelRequest(QUESTION))


async def _waits_to_be_left(fake: ProtocolFake, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(event("Once"))
    try:
        await asyncio.Event().wait()
    finally:
        fake.gone.set()
    return response


async def test_leaving_a_stream_closes_the_connection(fake: ProtocolFake) -> None:
    fake.acts = [lambda request: _waits_to_be_left(fake, request)]
    async with fake.client() as client:
        stream = client.stream(ModelRequest(QUESTION))
        assert (await anext(stream)).text == "Once"
        await stream.aclose()
        async with asyncio.timeout(5):
            await fake.gone.wait()


async def test_cancelling_a_call_closes_the_connection(fake: ProtocolFake) -> None:
    begun = asyncio.Event()

    async def act(request: web.Request) -> web.StreamResponse:
        begun.set()
        return await _waits_to_be_left(fake, request)

    fake.acts = [act]
    async with fake.client() as client:
        call = asyncio.create_task(client.complete(ModelRequest(QUESTION)))
        async with asyncio.timeout(5):
            await begun.wait()
            call.cancel()
            await fake.gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_closed_client_says_so(fake: ProtocolFake) -> None:
    client = fake.client()
    await client.aclose()
    with pytest.raises(EngineError, match="has been closed"):
        await client.models()
