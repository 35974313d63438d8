"""What the tests of caches share: a store of each kind, and a model whose calls can be held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from crewgraph.agents.model import Message, ModelDelta, ModelReply, ModelRequest
from crewgraph.agents.testing import ScriptedModel
from crewgraph.serving.client.caching import ReplyStore, open_cache

from .servers import Server, running

SERVERS = ("redis", "valkey", "memcached")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no broken store."""
    monkeypatch.setattr("crewgraph.serving.client.caching.cached._STORE_PATIENCE_S", 30.0)
    monkeypatch.setattr("crewgraph.serving.client.caching.cached._SEMANTIC_PATIENCE_S", 60.0)


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of each kind, for all tests that do not stop it."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
def store_url(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where an empty store of each kind is."""
    if request.param == "memory":
        yield "memory://"
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/replies.db"
    else:
        with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
            yield server.url


@pytest_asyncio.fixture
async def store(store_url: str) -> AsyncIterator[ReplyStore]:
    """An empty store of each kind."""
    store = open_cache(store_url)
    yield store
    await store.aclose()


class Held(ScriptedModel):
    """A `ScriptedModel` that writes a word only when it is told to; `ended` are the streams that were closed."""

    def __init__(self, script: Callable[[ModelRequest], str] = lambda _: "one two three four") -> None:
        super().__init__(script)
        self.go = asyncio.Event()
        self.words = asyncio.Semaphore(0)
        self.begun = asyncio.Event()
        self.ended = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.begun.set()
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        return await super().complete(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        reply = await ScriptedModel.complete(self, request)
        self.begun.set()
        try:
            for word in reply.text.split():
                await self.words.acquire()
                yield ModelDelta(word + " ")
            await self.words.acquire()
            yield ModelDelta("", reply)
        finally:
            self.ended += 1

    def write(self, words: int) -> None:
        """Let it write so many words more; the end counts as one."""
        for _ in range(words):
            self.words.release()


def ask(text: str = "What is the capital of France?", **more: object) -> ModelRequest:
    """A request of one message."""
    return ModelRequest((Message("user", text),), **more)  # type: ignore[arg-type]  # whatever a test varies


async def streamed(deltas: AsyncGenerator[ModelDelta, None]) -> tuple[str, ModelReply]:
    """The text of a stream, and the reply at its end."""
    pieces: list[str] = []
    reply: ModelReply | None = None
    async for delta in deltas:
        pieces.append(delta.text)
        reply = delta.reply or reply
    assert reply is not None
    return "".join(pieces), reply
