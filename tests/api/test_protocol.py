"""The official client talks to a crew: whole and streamed answers, errors in its words, queueing, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest

from crewgraph.agents.agent import Agent
from crewgraph.agents.crew import Crew
from crewgraph.runtime.errors import BudgetExceeded, EngineError, TaskFailed
from crewgraph.runtime.events import StepFinished
from crewgraph.serving.api.app import make_app
from crewgraph.serving.settings import MAX_REQUEST_CHARS

CREW = Crew([Agent("analyst", "answer what is asked")], name="desk")
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


@dataclass
class Said:
    run_id: str = "run-1"
    thread_id: str | None = None
    answer: str = "Hello, 世界."
    evidence: tuple[str, ...] = ("a fact",)
    seconds: float = 0.1
    tokens: int = 7


@dataclass
class SlowHouse:
    """In a house's place where a test decides when a run ends; the rest is tested with real houses."""

    error: Exception | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    async def ask(self, crew: Crew, request: str, *, history: Any, listeners: Any, **_: Any) -> Said:
        self.asked.append((request, history))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        output = {"text": "x", "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
        for listener in listeners:
            listener(StepFinished(task_id="t1", name="model", key="k", output=output, tokens=7))
        return Said()


def without_an_engine() -> TaskFailed:
    """As the scheduler raises it."""
    error = TaskFailed("Task 't1' failed: the engine does not answer.")
    error.__cause__ = EngineError("The engine does not answer.")
    return error


@pytest.fixture
def house() -> SlowHouse:
    house = SlowHouse()
    house.go.set()
    return house


@pytest.fixture
async def url(house: SlowHouse, listen: Any) -> AsyncIterator[str]:
    async with listen(make_app(house, CREW, running=2, waiting=1)) as url:  # type: ignore[arg-type]  # it has what the API uses
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url) as http:
        yield http


async def test_an_answer_comes_whole_with_usage_and_evidence(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="desk", messages=HELLO)
    assert answer.choices[0].message.content == "Hello, 世界."
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        5,
        2,
        7,
    )
    assert answer.model_extra is not None
    assert answer.model_extra["crewgraph"]["run_id"] == "run-1"
    assert answer.model_extra["crewgraph"]["evidence"] == ["a fact"]


async def test_a_stream_says_the_role_first_then_the_answer_then_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="desk", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello, 世界."
    assert [c.choices[0].finish_reason for c in chunks if c.choices].count("stop") == 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].model_extra is not None
    assert chunks[-2].model_extra["crewgraph"]["run_id"] == "run-1"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 7
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_stream_ends_with_done_and_has_no_usage_unasked(http: httpx.AsyncClient) -> None:
    body = {"model": "desk", "messages": HELLO, "stream": True}
    answer = await http.post("/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    assert not any('"usage"' in event for event in events)


async def test_the_last_user_message_is_the_request_and_earlier_ones_its_history(
    client: openai.AsyncOpenAI, house: SlowHouse
) -> None:
    messages: list[Any] = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "part"}]},
        {"role": "assistant", "content": "an answer"},
        {"role": "user", "content": "second"},
    ]
    await client.chat.completions.create(model="desk", messages=messages)
    request, history = house.asked[0]
    assert request == "second"
    assert [(m.role, m.content) for m in history] == [
        ("system", "be brief"),
        ("user", "first\npart"),
        ("assistant", "an answer"),
    ]


async def test_models_are_listed_and_found_by_name(
    client: openai.AsyncOpenAI, http: httpx.AsyncClient
) -> None:
    assert [model.id async for model in await client.models.list()] == ["desk"]
    assert (await client.models.retrieve("desk")).id == "desk"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("other")
    assert (await http.get("../healthz")).json()["status"] == "ok"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="gpt-5", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "  \n"}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * (MAX_REQUEST_CHARS + 1)}]}, "messages"),
        ({"messages": [{"role": "poet", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stream": "maybe"}, "stream"),
        ({"model": None}, "model"),
    ],
)
async def test_a_request_that_cannot_be_answered_is_refused_in_one_sentence(
    http: httpx.AsyncClient, house: SlowHouse, change: dict[str, Any], param: str
) -> None:
    answer = await http.post("/chat/completions", json={"model": "desk", "messages": HELLO, **change})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert "\n" not in error["message"]
    assert not house.asked


@pytest.mark.parametrize(
    "body",
    [b"{not json", b"", b"[]", b"[" * 100_000, b"\xff", b'{"model": "desk", "messages": [{"\\ud800": 1}]}'],
)
async def test_a_body_that_is_not_a_json_object_is_a_bad_request(
    http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.post("/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_half_a_character_is_a_bad_request(http: httpx.AsyncClient) -> None:
    body = b'{"model": "desk", "messages": [{"role": "user", "content": "a\\ud800b"}]}'
    assert (await http.post("/chat/completions", content=body)).status_code == 400


async def test_a_body_over_1_mb_is_refused_declared_or_not(http: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    for content in (b"x" * 1_000_001, pieces()):
        answer = await http.post("/chat/completions", content=content)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"


async def test_unknown_paths_and_methods_answer_in_the_error_shape(http: httpx.AsyncClient) -> None:
    for answer, status in ((await http.get("/nothing"), 404), (await http.get("/chat/completions"), 405)):
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "code", "param"}


async def test_sampling_settings_are_ignored(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="desk", messages=HELLO, temperature=0.7, top_p=0.9, max_tokens=5, seed=1, stop=["x"], user="me"
    )
    assert answer.choices[0].message.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EngineError("The engine does not answer: start it."), 503, "engine_unavailable"),
        (without_an_engine(), 503, "engine_unavailable"),
        (BudgetExceeded("The budget is used up."), 429, "budget_exceeded"),
        (RuntimeError("secret detail"), 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_that_fails_at_once_answers_with_its_status_and_is_not_asked_twice(
    url: str, house: SlowHouse, error: Exception, status: int, code: str, stream: bool
) -> None:
    house.error = error
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=2) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="desk", messages=HELLO, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
    assert len(house.asked) == 1


async def test_a_run_that_fails_later_ends_the_stream_with_its_error(
    client: openai.AsyncOpenAI, house: SlowHouse
) -> None:
    house.go.clear()
    house.error = EngineError("The engine does not answer: start it.")
    stream = await client.chat.completions.create(model="desk", messages=HELLO, stream=True)
    house.go.set()
    with pytest.raises(openai.APIError, match="does not answer"):
        [chunk async for chunk in stream]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_its_run(url: str, house: SlowHouse, stream: bool) -> None:
    house.go.clear()
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        asking = asyncio.create_task(
            client.chat.completions.create(model="desk", messages=HELLO, stream=stream)  # type: ignore[call-overload]  # takes a literal
        )
        await house.begun.wait()
        if stream:
            await (await asking).close()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(2):
        await house.stopped.wait()
    assert house.at_once == 0


async def test_runs_beyond_the_limit_wait_and_those_beyond_the_queue_are_sent_away(
    http: httpx.AsyncClient, house: SlowHouse
) -> None:
    house.go.clear()
    body = {"model": "desk", "messages": HELLO}
    asking = [asyncio.create_task(http.post("/chat/completions", json=body)) for _ in range(4)]
    done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    answer = done.pop().result()
    assert not done
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["code"] == "overloaded"
    house.go.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200, 200]
    assert house.most_at_once == 2


async def test_web_pages_of_other_origins_are_refused_and_get_no_cors_headers(
    http: httpx.AsyncClient,
) -> None:
    body = {"model": "desk", "messages": HELLO}
    answer = await http.post("/chat/completions", json=body, headers={"origin": "http://elsewhere.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert (await http.options("/chat/completions")).status_code == 405
    own = str(http.base_url).removesuffix("/v1/")
    assert (await http.post("/chat/completions", json=body, headers={"origin": own})).status_code == 200
