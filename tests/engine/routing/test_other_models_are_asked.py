"""What one model cannot give, the next in the chain does; what is slow to begin is asked for twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crewgraph.agents.model import ModelDelta
from crewgraph.runtime.errors import (
    ContextTooLong,
    CrewgraphError,
    EngineBusy,
    EngineUnreachable,
    InvalidInput,
    InvalidRequest,
    KeyRefused,
    ModelError,
    ReplyTruncated,
    StreamBroken,
    UnknownModel,
)
from crewgraph.serving.client.routing import Fallback, Hedged, Replica, Routed

from ...clock import run_on_virtual_clock
from .conftest import HANGS, WHOLE, Act, Faulty, asked, breaks, fails, read

CHOICES: dict[str, Any] = {"choices": ("a", "b")}


@pytest.mark.parametrize("kind", [EngineUnreachable, EngineBusy, StreamBroken, KeyRefused, UnknownModel])
async def test_the_next_model_is_asked_when_an_engine_fails(kind: type[CrewgraphError]) -> None:
    second = Faulty("second")
    chain = Fallback([(Faulty("", fails(kind("no"))), "large"), (second, "small")])
    assert (await chain.complete(asked())).text == "second"
    assert (await read(chain, asked()))[0] == "second"
    assert [request.model for request in second.requests] == ["small", "small"]


@pytest.mark.parametrize("kind", [InvalidRequest, ModelError])
async def test_a_wrong_request_is_wrong_everywhere(kind: type[CrewgraphError]) -> None:
    chain = Fallback([(Faulty("", fails(kind("no"))), None), (Faulty("never"), None)])
    with pytest.raises(kind):
        await chain.complete(asked())
    with pytest.raises(kind):
        await read(chain, asked())


async def test_a_prompt_that_does_not_fit_goes_to_the_next_larger_window() -> None:
    small = Faulty("", fails(ContextTooLong("too long", over=10)), window=100)
    same, unknown, large = Faulty("", window=100), Faulty(""), Faulty("large", window=1000)
    chain = Fallback([(small, None), (same, None), (unknown, None), (large, None)])
    assert (await chain.complete(asked())).text == "large"
    assert same.requests == unknown.requests == []
    with pytest.raises(ContextTooLong):
        await Fallback([(small, None), (same, None)]).complete(asked())


async def test_an_unusable_constrained_reply_goes_on_only_when_asked_to() -> None:
    chain = [(Faulty("", fails(ReplyTruncated("cut off"))), None), (Faulty("a"), None)]
    with pytest.raises(ReplyTruncated):
        await Fallback(chain).complete(asked(**CHOICES))
    assert (await Fallback(chain, unusable=True).complete(asked(**CHOICES))).text == "a"
    with pytest.raises(ReplyTruncated):
        await Fallback(chain, unusable=True).complete(asked())


async def test_a_constrained_stream_that_was_begun_is_not_given_to_another_model() -> None:
    chain = Fallback([(Faulty(lambda _: ["{", "}"], breaks(1)), None), (Faulty("{}"), None)])
    stream = chain.stream(asked(schema={}))
    assert (await anext(stream)).text == "{"
    with pytest.raises(StreamBroken, match="after 1 characters"):
        await anext(stream)


async def test_a_chain_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        Fallback([])


def test_a_slow_first_answer_is_overtaken_and_cancelled() -> None:
    slow, fast = Faulty("slow", Act(wait_s=100)), Faulty("fast", Act(wait_s=1))

    async def use() -> tuple[str, str, float]:
        hedged = Hedged(slow, fast, after_s=5, most=1.0)
        whole = (await hedged.complete(asked())).text
        streamed, _ = await read(hedged, asked())
        assert hedged.hedged == 2
        return whole, streamed, asyncio.get_running_loop().time()

    assert run_on_virtual_clock(use()) == ("fast", "fast", 7.0 + 7.0)
    assert slow.open == fast.open == 0


def test_a_first_answer_in_time_is_the_only_request() -> None:
    second = Faulty("never")

    async def use() -> str:
        return (await read(Hedged(Faulty("first", Act(wait_s=2)), second, after_s=5), asked()))[0]

    assert run_on_virtual_clock(use()) == "first"
    assert second.requests == []


def test_a_stream_that_has_begun_is_never_doubled() -> None:
    second = Faulty("never")

    async def use() -> list[ModelDelta]:
        hedged = Hedged(Faulty(lambda _: ["a", "b"], Act(wait_s=4)), second, after_s=5)
        return [delta async for delta in hedged.stream(asked())]

    assert [delta.text for delta in run_on_virtual_clock(use())] == ["a", "b", ""]
    assert second.requests == []


def test_a_second_request_that_fails_leaves_the_first_be() -> None:
    async def use() -> str:
        hedged = Hedged(Faulty("first", Act(wait_s=9)), Faulty("", breaks(0)), after_s=5)
        return (await hedged.complete(asked())).text

    assert run_on_virtual_clock(use()) == "first"


def test_when_both_fail_the_first_error_is_told() -> None:
    async def use() -> None:
        first = Faulty("x", Act(1, EngineBusy("first"), wait_s=9))
        with pytest.raises(EngineBusy, match="first"):
            await Hedged(first, Faulty("", fails(EngineUnreachable("second"))), after_s=5).complete(asked())

    run_on_virtual_clock(use())


def test_the_delay_is_learnt_and_few_requests_are_doubled() -> None:
    acts = [Act(wait_s=1.0)] * 40 + [Act(wait_s=500)] * 20 + [WHOLE]
    first, second = Faulty("x", *acts), Faulty("x", Act(wait_s=50))

    async def use() -> None:
        hedged = Hedged(first, second, most=0.1)
        for _ in range(40):
            await hedged.complete(asked())
        await asyncio.gather(*(hedged.complete(asked()) for _ in range(20)))

    run_on_virtual_clock(use())
    assert 1 <= len(second.requests) <= 1 + 60 * 0.1


def test_a_hedge_over_a_router_goes_to_another_replica() -> None:
    stuck, free = Faulty("", HANGS), Faulty("free")

    async def use() -> str:
        routed = Routed([Replica("stuck", stuck), Replica("free", free)], policy="weighted")
        return (await Hedged(routed, routed.second, after_s=1).complete(asked())).text

    assert run_on_virtual_clock(use()) == "free"
    assert stuck.open == 0
