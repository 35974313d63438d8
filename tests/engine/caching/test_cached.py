"""What users rely on: the same question costs one call, in whole or in a stream, and nothing wrong is ever kept."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crewgraph.agents.model import (
    Hints,
    Message,
    ModelClient,
    ModelDelta,
    ModelReply,
    ModelRequest,
    ToolCall,
    Usage,
)
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineUnreachable, ModelError
from crewgraph.serving.client.caching import Cached, ReplyStore, open_cache
from crewgraph.serving.client.caching.entry import pack, unpack

from .conftest import ask, streamed
from .servers import Server, running


class Replying(ScriptedModel):
    """A model that gives one reply, as a whole or in a stream; an error is raised instead."""

    def __init__(self, reply: ModelReply | Exception, *, names: tuple[str, ...] = ("scripted",)) -> None:
        super().__init__()
        self.reply = reply
        self.names = list(names)

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        reply = await self.complete(request)
        yield ModelDelta(reply.text)
        yield ModelDelta("", reply)

    async def models(self) -> list[str]:
        return self.names


@pytest.mark.parametrize("first", ["whole", "stream"])
@pytest.mark.parametrize("second", ["whole", "stream"])
async def test_the_second_identical_call_costs_nothing(store: ReplyStore, first: str, second: str) -> None:
    inner = ScriptedModel(lambda _: "Paris is the capital.")
    cached = Cached(inner, store)

    async def call(how: str) -> ModelReply:
        if how == "whole":
            return await cached.complete(ask())
        text, reply = await streamed(cached.stream(ask()))
        assert text == reply.text
        return reply

    paid = await call(first)
    await cached.settle()
    free = await call(second)
    assert paid.usage == Usage(6, 4)
    assert free == replace(paid, usage=Usage(saved_tokens=10))
    assert len(inner.requests) == 1
    assert (cached.tally.exact, cached.tally.misses, cached.tally.stored) == (1, 1, 1)
    assert cached.tally.saved_tokens == 10
    await cached.aclose()


async def test_a_reply_outlives_the_process_that_paid_for_it(tmp_path: Path) -> None:
    inner = ScriptedModel(lambda _: "Paris")
    for _ in range(3):
        cached = Cached(inner, open_cache(tmp_path / "replies.db"))
        assert (await cached.complete(ask())).text == "Paris"
        await cached.settle()
        await cached.aclose()
    assert len(inner.requests) == 1


async def test_tool_calls_come_back_as_they_were() -> None:
    reply = ModelReply("", "tool_calls", Usage(3, 4), "scripted", (ToolCall("1", "f", {"a": [1, "é"]}),))
    cached = Cached(Replying(reply), open_cache("memory://"))
    await cached.complete(ask())
    await cached.settle()
    assert (await cached.complete(ask())).tool_calls == reply.tool_calls
    assert cached.tally.exact == 1


@pytest.mark.parametrize(
    "reply",
    [
        ModelReply("cut o", "length"),
        ModelReply("…", "filtered"),
        ModelReply("gone", "cancelled"),
        ModelReply("", "stop"),
        ModelReply("", "tool_calls"),
        ModelReply("from another", "stop", model="fallback"),
        ModelError("unusable"),
        EngineUnreachable("away"),
    ],
    ids=lambda reply: getattr(reply, "finish_reason", type(reply).__name__),
)
async def test_what_is_not_whole_or_not_from_the_model_asked_is_not_kept(
    reply: ModelReply | Exception,
) -> None:
    inner = Replying(reply, names=("scripted", "fallback"))
    cached = Cached(inner, open_cache("memory://"))
    for count in (1, 2):
        if isinstance(reply, Exception):
            with pytest.raises(type(reply)):
                await cached.complete(ask())
        else:
            assert await cached.complete(ask()) == reply
        await cached.settle()
        assert len(inner.requests) == count
    assert (await cached.store.size()).entries == 0


async def test_what_is_drawn_is_not_kept_unless_the_author_says_so() -> None:
    drawn = ask(temperature=0.7, seed=None)
    for undetermined, calls in ((False, 2), (True, 1)):
        inner = ScriptedModel(lambda _: "heads")
        cached = Cached(inner, open_cache("memory://"), undetermined=undetermined)
        for _ in range(2):
            await cached.complete(drawn)
            await cached.settle()
        assert len(inner.requests) == calls
        assert cached.tally.passed_by == (0 if undetermined else 2)
    text, _ = await streamed(Cached(ScriptedModel(["heads"]), open_cache("memory://")).stream(drawn))
    assert text == "heads"


async def test_replies_never_cross_tenants() -> None:
    inner = ScriptedModel(lambda request: request.hints.tenant if request.hints else "nobody")
    cached = Cached(inner, open_cache("memory://"))
    for tenant in ("a", "b", "a", "b"):
        assert (await cached.complete(ask(hints=Hints(tenant=tenant)))).text == tenant
        await cached.settle()
    assert (await cached.complete(ask())).text == "nobody"
    assert len(inner.requests) == 3


async def test_another_model_behind_the_same_address_is_noticed_at_its_first_reply() -> None:
    inner = Replying(ModelReply("old", model="old"), names=("old",))
    cached = Cached(inner, open_cache("memory://"))
    await cached.complete(ask())
    await cached.settle()
    inner.reply, inner.names = ModelReply("new", model="new"), ["new"]
    assert (await cached.complete(ask("Another?"))).text == "new"
    await cached.settle()
    assert (await cached.complete(ask())).text == "new", "under the new one's name, not the old one's reply"
    await cached.settle()
    assert (await cached.store.size()).entries == 2


async def test_an_engine_that_calls_its_model_otherwise_is_still_cached() -> None:
    inner = Replying(ModelReply("Paris", model="served-2026-08-01"), names=("served",))
    cached = Cached(inner, open_cache("memory://"))
    for _ in range(2):
        await cached.complete(ask())
        await cached.settle()
    assert len(inner.requests) == 1


async def test_the_engine_is_not_asked_for_its_name_where_the_author_gives_it() -> None:
    class Nameless(ScriptedModel):
        async def models(self) -> list[str]:
            raise AssertionError("this would bring an engine up")

    cached = Cached(Nameless(["Paris"], name="m"), open_cache("memory://"), model="m")
    await cached.complete(ask())
    await cached.settle()
    assert (await cached.complete(ask())).usage.saved_tokens > 0


async def test_an_expired_reply_is_never_given(store: ReplyStore) -> None:
    inner = ScriptedModel(lambda _: "now")
    cached = Cached(inner, store, ttl_s=0.02)
    for count in (1, 2, 3):
        await cached.complete(ask())
        await cached.settle()
        await asyncio.sleep(0.03)
        assert len(inner.requests) == count
    await cached.aclose()


async def test_a_damaged_entry_is_a_miss_and_is_taken_away(store: ReplyStore) -> None:
    inner = ScriptedModel(lambda _: "Paris " * 200)
    cached = Cached(inner, store)
    await cached.complete(ask())
    await cached.settle()
    key = (await cached._asked(ask())).key  # type: ignore[union-attr]  # it is one that is cached
    value = await store.get(key)
    assert value is not None
    for broken in (value[:-1], value[:20] + b"?" + value[21:], b"", b"\x01", b"\x01abcd[]"):
        await store.put(key, broken)
        assert (await cached.complete(ask())).text == "Paris " * 200
        await cached.settle()
    assert cached.tally.damaged == 5
    assert len(inner.requests) == 6
    await cached.aclose()


def test_a_long_reply_takes_little_room() -> None:
    reply = ModelReply("The capital of France is Paris. " * 100, "stop", Usage(10, 700), "m")
    packed = pack(reply)
    assert len(packed) < 300
    assert unpack(packed) == replace(reply, usage=Usage(saved_tokens=710))


async def test_a_server_that_dies_costs_no_call_and_is_used_again_when_it_is_back(
    server_alone: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crewgraph.serving.client.caching.patience.REST_S", 0.0)
    inner = ScriptedModel(lambda _: "Paris")
    cached = Cached(inner, open_cache(server_alone.url))
    await cached.complete(ask())
    await cached.settle()
    server_alone.stop()
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        assert (await cached.complete(ask())).text == "Paris"
        await cached.settle()
    assert len(inner.requests) == 4
    assert cached.tally.store_errors == 6
    assert len([line for line in caplog.messages if "cannot be used" in line]) == 1, "said once"
    server_alone.start()
    await cached.complete(ask())
    await cached.settle()
    assert (await cached.complete(ask())).usage.saved_tokens > 0
    assert any("can be used again" in line for line in caplog.messages)
    await cached.aclose()


async def test_a_store_that_failed_is_left_alone_for_a_while(server_alone: Server) -> None:
    server_alone.stop()
    cached = Cached(ScriptedModel(lambda _: "Paris"), open_cache(server_alone.url))
    for _ in range(5):
        await cached.complete(ask())
        await cached.settle()
    assert cached.tally.store_errors == 1
    assert cached.tally.misses == 5
    await cached.aclose()


async def test_a_store_that_hangs_holds_a_call_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crewgraph.serving.client.caching.cached._STORE_PATIENCE_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        cached = Cached(
            ScriptedModel(lambda _: "Paris"), open_cache(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        )
        async with asyncio.timeout(4):  # less than the store itself would wait
            assert (await cached.complete(ask())).text == "Paris"
        assert cached.tally.store_errors == 1
        await cached.aclose()


async def test_a_file_that_cannot_be_used_costs_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "replies.db").write_text("somebody's text " * 100)
    cached = Cached(ScriptedModel(lambda _: "Paris"), open_cache(tmp_path / "replies.db"))
    for _ in range(3):
        assert (await cached.complete(ask())).text == "Paris"
        await cached.settle()
    assert cached.tally.store_errors == 1
    assert [line for line in caplog.messages if "name another file" in line]
    await cached.aclose()


async def test_a_request_that_is_no_json_goes_through() -> None:
    inner = Replying(ModelReply("ok"))
    cached = Cached(inner, open_cache("memory://"))
    odd: dict[str, Any] = {"type": object()}
    assert (await cached.complete(ask(schema=odd))).text == "ok"
    assert cached.tally.misses == 0


async def test_everything_else_is_the_inner_clients() -> None:
    cached = Cached(ScriptedModel(), open_cache("memory://"))
    assert isinstance(cached, ModelClient)
    assert await cached.models() == ["scripted"]
    assert await cached.count_tokens(ModelRequest((Message("user", "a b c"),))) == 3


def test_the_tally_can_be_shown() -> None:
    cached = Cached(ScriptedModel(), open_cache("memory://"))
    cached.tally.exact, cached.tally.semantic = 2, 1
    assert cached.tally.as_json()["hits"] == 3


@pytest.fixture(params=["redis", "memcached"])
def server_alone(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A server that this test may stop."""
    with running(request.param, tmp_path) as server:
        yield server
