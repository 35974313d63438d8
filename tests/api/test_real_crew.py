"""Behind the API stands a whole house: runs are kept, conversations understood, only the answer is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import openai
import pytest
from fastapi import FastAPI

from crewgraph.agents.agent import Agent
from crewgraph.agents.crew import Crew
from crewgraph.agents.model import ModelDelta, ModelRequest
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.graph import Task
from crewgraph.serving.api.app import make_app
from crewgraph.serving.house import House
from crewgraph.serving.settings import MAX_REQUEST_CHARS, Settings
from crewgraph.tools.tool import tool

Listen = Callable[[FastAPI], AbstractAsyncContextManager[str]]

TALK = Crew([Agent("host", "Talk with guests.")], name="desk")


def reply(request: ModelRequest) -> str:
    return request.choices[0] if request.choices else "Hello, dear guest."


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(reply)


@pytest.fixture
async def house(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[House]:
    async with House.open(Settings(home=tmp_path / "home"), client=model) as house:
        yield house


def said(*turns: tuple[str, str]) -> list[Any]:
    return [{"role": role, "content": content} for role, content in turns]


async def test_answers_are_runs_that_are_kept_with_their_usage(house: House, listen: Listen) -> None:
    async with (
        listen(make_app(house, TALK, crew_path="desk.py")) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        answer = await client.chat.completions.create(model="desk", messages=said(("user", "Hello!")))
        text = answer.choices[0].message.content
        assert text == "Hello, dear guest."
        assert answer.model_extra is not None
        record = await house.store.find_run(answer.model_extra["crewgraph"]["run_id"])
        assert (record.status, record.answer, record.crew_path) == ("finished", text, "desk.py")
        assert answer.usage is not None
        assert answer.usage.total_tokens == record.tokens > 0
        assert answer.usage.completion_tokens == 3
        replayed = await house.replay(record.id, TALK)
        assert replayed.answer == text


async def test_a_stream_carries_the_answer_and_nothing_of_the_steps(house: House, listen: Listen) -> None:
    async with (
        listen(make_app(house, TALK)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(
            model="desk",
            messages=said(("user", "Hello!")),
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello, dear guest."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


class Hesitant(ScriptedModel):
    """Writes one word, and the rest when it is told to."""

    def __init__(self) -> None:
        super().__init__(reply)
        self.heard = asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        whole = await self.complete(request)
        yield ModelDelta("Hello,")
        await self.heard.wait()
        yield ModelDelta(" dear guest.", whole)


async def test_the_models_own_words_are_sent_while_it_writes(listen: Listen, tmp_path: Path) -> None:
    model = Hesitant()
    async with (
        House.open(Settings(home=tmp_path, model_url=None), client=model) as house,
        listen(make_app(house, TALK)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
        asyncio.timeout(20),
    ):
        words: list[str] = []
        stream = await client.chat.completions.create(
            model="desk", messages=said(("user", "Hello!")), stream=True
        )
        async for chunk in stream:
            words.append(chunk.choices[0].delta.content or "")
            if words[-1]:
                model.heard.set()
    assert "".join(words) == "Hello, dear guest."
    assert "Hello," in words


async def test_earlier_messages_reach_the_model(house: House, model: ScriptedModel, listen: Listen) -> None:
    turns = said(("user", "My name is Ada."), ("assistant", "Good to meet you."), ("user", "Hello again!"))
    async with (
        listen(make_app(house, TALK)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        await client.chat.completions.create(model="desk", messages=turns)
    read = " ".join(message.content for request in model.requests for message in request.messages)
    assert "My name is Ada." in read
    assert "Hello again!" in read


async def test_a_client_that_leaves_cancels_its_run_which_can_be_resumed(
    house: House, listen: Listen
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> int:
        """Wait until the gate is open."""
        begun.set()
        await gate.wait()
        return 7

    crew = Crew(
        [Agent("waiter", "Wait.", tools=[wait])],
        tasks=[Task(id="t1", description="wait", tool="wait", agent="waiter")],
        name="waiting",
    )
    async with listen(make_app(house, crew)) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            asking = asyncio.create_task(
                client.chat.completions.create(model="waiting", messages=said(("user", "Wait for me")))
            )
            await begun.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(5):
            while (await house.store.find_run("last")).status == "running":  # noqa: ASYNC110 (another connection writes it)
                await asyncio.sleep(0.01)
    assert (await house.store.find_run("last")).status == "cancelled"
    gate.set()
    assert "7" in (await house.resume("last", crew)).answer


async def test_empty_and_oversized_requests_begin_no_run(house: House, listen: Listen) -> None:
    async with (
        listen(make_app(house, TALK)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        for text in ("", " \n", "x" * (MAX_REQUEST_CHARS + 1)):
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(model="desk", messages=said(("user", text)))
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="desk", messages=said(("user", "x" * 1_000_001)))
        assert caught.value.status_code == 413
    assert await house.store.list_runs() == []


async def test_answers_of_requests_at_once_do_not_mix(house: House, listen: Listen) -> None:
    @tool
    async def double(n: int) -> int:
        """Twice a number."""
        await asyncio.sleep(0.001 * (n % 5))
        return 2 * n

    crew = Crew([Agent("counter", "Double numbers.", tools=[double])], name="desk")
    async with (
        listen(make_app(house, crew, running=4)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client,
    ):
        asked = [
            client.chat.completions.create(model="desk", messages=said(("user", f"double {n}")))
            for n in range(101, 113)
        ]
        answers = await asyncio.gather(*asked)
    for n, answer in zip(range(101, 113), answers, strict=True):
        assert str(2 * n) in (answer.choices[0].message.content or "")
        run = await house.store.find_run((answer.model_extra or {})["crewgraph"]["run_id"])
        assert run.request == f"double {n}"
