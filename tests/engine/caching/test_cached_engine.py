"""On the embedded engine: the second identical call costs the engine nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph.agents.model import ModelDelta, ModelReply, ModelRequest
from crewgraph.agents.wrapping import Wrapping
from crewgraph.serving.client.caching import Cached, open_cache
from crewgraph.serving.engines import engine_client
from crewgraph.serving.settings import Settings

from .conftest import ask, streamed


class Counting(Wrapping):
    """Counts what reaches the engine."""

    calls = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.calls += 1
        return await super().complete(request)

    def stream(self, request: ModelRequest):  # type: ignore[no-untyped-def]  # as the base
        self.calls += 1
        return super().stream(request)


@pytest.mark.engine
async def test_the_second_identical_call_costs_no_engine_work(shared_home: Settings, tmp_path: Path) -> None:
    async with engine_client(shared_home) as client:
        engine = Counting(client)
        cached = Cached(engine, open_cache(tmp_path / "replies.db"))
        pieces: list[ModelDelta] = [delta async for delta in cached.stream(ask(max_tokens=64))]
        paid = pieces[-1].reply
        assert paid is not None
        assert "Paris" in paid.text
        assert paid.usage.completion_tokens > 3
        assert len(pieces) > 3
        await cached.settle()
        free = await cached.complete(ask(max_tokens=64))
        text, again = await streamed(cached.stream(ask(max_tokens=64)))
        assert free.text == again.text == text == paid.text
        assert free.usage.total_tokens == 0
        assert free.usage.saved_tokens == paid.usage.total_tokens
        assert engine.calls == 1
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
        one = await cached.complete(ask(schema=schema, max_tokens=64))
        await cached.settle()
        assert (await cached.complete(ask(schema=schema, max_tokens=64))).text == one.text
        assert engine.calls == 2
        assert cached.tally.stored == 2
        await cached.aclose()
