"""Engines for the models file: protocol fakes that say who answered, and a way to open the file over them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from crewgraph.agents.model import Hints, Message, ModelClient, ModelReply, ModelRequest
from crewgraph.serving.endpoints.opening import open_models
from crewgraph.serving.settings import Settings


class ProtocolFake:
    """Speaks the OpenAI protocol and answers every chat with its own name; remembers what it was sent."""

    def __init__(self, name: str, models: Sequence[str], owner: str) -> None:
        self.name = name
        self.models = list(models)
        self.owner = owner
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.listings = 0
        self.wait_s = 0.0
        self.hangs = False
        self.says: str | None = None
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _list(self, _: web.Request) -> web.Response:
        self.listings += 1
        if self.hangs:
            await asyncio.Event().wait()
        entries = [{"id": name, "object": "model", "owned_by": self.owner} for name in self.models]
        return web.json_response({"object": "list", "data": entries})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(request.headers.copy())
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self.wait_s)
        text = self.name if self.says is None else self.says
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
            return web.json_response({"model": body["model"], "choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta, finish in (({"content": text}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {"model": body["model"], "choices": [choice], "usage": usage if finish else None}
            await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response


Fake = Callable[..., Awaitable[ProtocolFake]]
Opens = Callable[..., AbstractAsyncContextManager[ModelClient]]


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[Fake]:
    """Starts protocol fakes: their name, and what they serve."""
    async with AsyncExitStack() as stack:

        async def start(name: str, *models: str, owner: str = "someone") -> ProtocolFake:
            made = ProtocolFake(name, models, owner)
            await made.start()
            stack.push_async_callback(made.stop)
            return made

        yield start


@pytest.fixture
def opens(tmp_path: Path) -> Opens:
    """Opens the models that a text as ``models.toml`` names; ``{NAME}`` in it is a fake's URL."""

    def opened(text: str, *fakes: ProtocolFake, **settings: Any) -> AbstractAsyncContextManager[ModelClient]:
        for one in fakes:
            text = text.replace(f"{{{one.name}}}", one.url)
        (tmp_path / "models.toml").write_text(text)
        given: dict[str, Any] = {"model_url": None, "model": None, "model_key": None, **settings}
        return open_models(Settings(home=tmp_path, **given))

    return opened


def asked(text: str = "Who are you?", *, tenant: str = "", **fields: Any) -> ModelRequest:
    hints = Hints(tenant=tenant) if tenant else None
    return ModelRequest((Message("user", text),), hints=hints, **fields)


async def read(client: ModelClient, request: ModelRequest) -> ModelReply:
    """The reply of a stream, whose pieces have to be its text."""
    pieces: list[str] = []
    reply = None
    async for delta in client.stream(request):
        pieces.append(delta.text)
        reply = delta.reply
    assert reply is not None
    assert reply.text == "".join(pieces)
    return reply
