"""What users rely on: those who ask the same at the same time share one call, and nobody's leaving hurts the others."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewgraph.agents.model import ModelDelta, ModelReply, ModelRequest
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineBusy, EngineError, EngineTimeout, StreamBroken
from crewgraph.serving.client.caching import Cached, open_cache

from .conftest import Held, ask, streamed


def held() -> tuple[Held, Cached]:
    inner = Held()
    return inner, Cached(inner, open_cache("memory://"))


async def test_a_thousand_at_once_are_one_call_and_one_pays() -> None:
    inner, cached = held()
    calls = [asyncio.create_task(cached.complete(ask())) for _ in range(1000)]
    await inner.begun.wait()
    inner.go.set()
    replies = await asyncio.gather(*calls)
    assert len(inner.requests) == 1
    assert {reply.text for reply in replies} == {"one two three four"}
    assert sum(reply.usage.total_tokens for reply in replies) == 10
    assert replies[0].usage.total_tokens == 10
    assert (cached.tally.joined, cached.tally.saved_tokens) == (999, 9990)


async def test_a_late_reader_gets_what_is_there_and_then_goes_on_live() -> None:
    inner, cached = held()
    first = cached.stream(ask())
    inner.write(2)
    assert [(await anext(first)).text for _ in range(2)] == ["one ", "two "]
    late = cached.stream(ask())
    assert [(await anext(late)).text for _ in range(2)] == ["one ", "two "]
    waiting = asyncio.ensure_future(anext(late))
    await asyncio.sleep(0)
    assert not waiting.done()
    inner.write(1)
    assert (await waiting).text == "three "
    inner.write(2)
    assert (await streamed(late))[0] == "four "
    assert (await streamed(first))[0] == "three four "
    assert len(inner.requests) == 1


async def test_whole_and_streamed_callers_share_one_call() -> None:
    inner, cached = held()
    reading = asyncio.create_task(streamed(cached.stream(ask())))
    await inner.begun.wait()
    whole = asyncio.create_task(cached.complete(ask()))
    inner.write(5)
    text, reply = await reading
    assert text.split() == (await whole).text.split()
    assert reply.usage.saved_tokens == 0
    assert (await whole).usage.saved_tokens == 10
    assert len(inner.requests) == 1

    inner, cached = held()
    whole = asyncio.create_task(cached.complete(ask()))
    await inner.begun.wait()
    reading = asyncio.create_task(streamed(cached.stream(ask())))
    inner.go.set()
    assert (await whole).text == (await reading)[0]
    assert len(inner.requests) == 1


async def test_who_asked_first_may_leave_and_the_next_one_pays() -> None:
    inner, cached = held()
    first = asyncio.create_task(cached.complete(ask()))
    await inner.begun.wait()
    second, third = (asyncio.create_task(cached.complete(ask())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    inner.go.set()
    assert (await second).usage.total_tokens == 10
    assert (await third).usage.saved_tokens == 10
    assert len(inner.requests) == 1


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_when_all_have_left_the_engine_is_freed_and_the_next_call_is_a_new_one(how: str) -> None:
    inner, cached = held()

    async def call() -> None:
        if how == "whole":
            await cached.complete(ask())
        else:
            await streamed(cached.stream(ask()))

    calls = [asyncio.create_task(call()) for _ in range(3)]
    await inner.begun.wait()
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    fresh = asyncio.create_task(cached.complete(ask()))
    inner.go.set()
    await fresh
    assert inner.ended == 2, "the one that was given up, and the new one"
    assert len(inner.requests) == (1 if how == "whole" else 2)
    assert cached.tally.misses == 2


async def test_closing_a_stream_frees_the_engine() -> None:
    inner, cached = held()
    inner.write(1)
    async with aclosing(cached.stream(ask())) as deltas:
        assert (await anext(deltas)).text == "one "
    await cached.settle()
    assert inner.ended == 1


async def test_an_error_reaches_all_that_waited_and_is_not_kept() -> None:
    answers = iter([EngineBusy("full"), None])

    class Failing(ScriptedModel):
        async def complete(self, request: ModelRequest) -> ModelReply:
            self.requests.append(request)
            await asyncio.sleep(0.01)
            error = next(answers)
            if error:
                raise error
            return ModelReply("fine")

    inner = Failing()
    cached = Cached(inner, open_cache("memory://"))
    calls = [asyncio.create_task(cached.complete(ask())) for _ in range(5)]
    calls += [asyncio.create_task(_whole(cached)) for _ in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [EngineBusy] * 10
    assert (await cached.complete(ask())).text == "fine"
    assert len(inner.requests) == 2


async def _whole(cached: Cached) -> ModelReply:
    return (await streamed(cached.stream(ask())))[1]


@pytest.mark.parametrize("timeout_s", [None, 60])
async def test_an_error_of_another_kind_stays_what_it_is(timeout_s: float | None) -> None:
    class Odd(ScriptedModel):
        async def complete(self, request: ModelRequest) -> ModelReply:
            await asyncio.sleep(0)
            raise TimeoutError("of the inner client's own")

    cached = Cached(Odd(), open_cache("memory://"))
    calls = (cached.complete(ask(timeout_s=timeout_s)) for _ in range(3))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"of the inner client's own"}


async def test_a_stream_that_ends_without_its_reply_is_broken() -> None:
    class Broken(ScriptedModel):
        async def stream(self, request: ModelRequest):  # type: ignore[no-untyped-def]  # as the base
            yield ModelDelta("half")

    with pytest.raises(StreamBroken):
        await streamed(Cached(Broken(), open_cache("memory://")).stream(ask()))


async def test_everybody_has_their_own_time() -> None:
    class Timed(Held):
        async def complete(self, request: ModelRequest) -> ModelReply:
            try:
                async with asyncio.timeout(request.timeout_s):
                    return await super().complete(request)
            except TimeoutError:
                raise EngineTimeout("too slow") from None

    inner = Timed()
    cached = Cached(inner, open_cache("memory://"))
    hasty = asyncio.create_task(cached.complete(ask(timeout_s=0.05)))
    patient = asyncio.create_task(cached.complete(ask(timeout_s=60)))
    hastier = asyncio.create_task(cached.complete(ask(timeout_s=0.01)))
    for late in (hastier, hasty):
        with pytest.raises(EngineTimeout):
            await late
    inner.go.set()
    assert (await patient).text == "one two three four", "the first one's time is not this one's"
    assert cached.tally.misses == 2


async def test_a_reader_whose_first_call_ran_out_of_time_gets_no_word_twice() -> None:
    class Timed(Held):
        async def stream(self, request: ModelRequest):  # type: ignore[no-untyped-def]  # as the base
            try:
                async with asyncio.timeout(request.timeout_s):
                    async for delta in super().stream(request):
                        yield delta
            except TimeoutError:
                raise EngineTimeout("too slow") from None

    inner = Timed()
    cached = Cached(inner, open_cache("memory://"))
    inner.write(2)
    hasty = asyncio.create_task(streamed(cached.stream(ask(timeout_s=0.05))))
    await inner.begun.wait()
    patient = asyncio.create_task(streamed(cached.stream(ask())))
    with pytest.raises(EngineTimeout):
        await hasty
    inner.write(5)
    assert (await patient)[0] == "one two three four "
    assert len(inner.requests) == 2


async def test_closing_ends_those_who_wait_and_leaves_no_task() -> None:
    inner, cached = held()
    before = len(asyncio.all_tasks())
    early = asyncio.create_task(cached.complete(ask()))
    await inner.begun.wait()
    late = asyncio.create_task(cached.complete(ask("another")))
    await asyncio.sleep(0)
    await cached.aclose()
    for call in (early, late):
        with pytest.raises(EngineError, match="closed"):
            await call
    assert len(asyncio.all_tasks()) == before


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(), readers=st.integers(1, 12))
def test_whoever_stays_gets_the_whole_reply_whoever_leaves(seed: int, readers: int) -> None:
    asyncio.run(_random_leaving(random.Random(seed), readers))


async def _random_leaving(chance: random.Random, readers: int) -> None:
    inner, cached = held()
    inner.go.set()
    calls: dict[asyncio.Task[str], bool] = {}

    async def whole() -> str:
        return (await cached.complete(ask())).text

    async def pieces() -> str:
        return (await streamed(cached.stream(ask())))[0]

    for _ in range(readers):
        calls[asyncio.create_task(chance.choice((whole, pieces))())] = chance.random() < 0.5
        for _ in range(chance.randrange(4)):
            inner.write(chance.randrange(2))
            await asyncio.sleep(0)
        for task, leaves in calls.items():
            if leaves and chance.random() < 0.3:
                task.cancel()
    for task, leaves in calls.items():
        if leaves:
            task.cancel()
    inner.write(100)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome, leaves in zip(outcomes, calls.values(), strict=True):
        if isinstance(outcome, asyncio.CancelledError):
            assert leaves
        else:
            assert str(outcome).split() == ["one", "two", "three", "four"]
    await cached.settle()
    assert inner.ended == cached.tally.misses, "every call was ended"
    if not all(calls.values()):
        assert (await cached.complete(ask())).text.split() == ["one", "two", "three", "four"]
        assert cached.tally.exact >= 1
    await cached.aclose()
