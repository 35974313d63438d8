"""Requests and tokens a minute are never more than was allowed, and tenants get equal shares of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import Message, ModelDelta, ModelReply, ModelRequest, Usage
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineBusy
from crewgraph.serving.client.routing import Limited, Rate

from ...clock import run_on_virtual_clock
from .conftest import HANGS, Faulty, asked, breaks


class Noting(ScriptedModel):
    """Notes when each request came, and answers with the usage that it is told."""

    def __init__(self, usage: Usage | None = None) -> None:
        super().__init__()
        self.usage = usage
        self.came: list[tuple[float, str, int]] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        tenant = request.hints.tenant if request.hints else ""
        guess = -(-len(request.messages[0].content) // 4) + request.max_tokens
        self.came.append((asyncio.get_running_loop().time(), tenant, guess))
        return ModelReply("x", usage=self.usage or Usage(guess - 1, 1))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        yield ModelDelta("x", await self.complete(request))


def send(inner: Noting, requests: list[ModelRequest], **limits: object) -> list[tuple[float, str, int]]:
    async def use() -> None:
        limited = Limited(inner, **limits)  # type: ignore[arg-type]  # rates, by name
        await asyncio.gather(*(limited.complete(request) for request in requests))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_on_virtual_clock(use())
    return inner.came


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from("ab")), min_size=1, max_size=40))
def test_no_more_goes_through_than_a_full_bucket_and_what_flows_into_it(sent: list[tuple[int, str]]) -> None:
    requests = [asked("q" * 40, max_tokens=tokens, tenant=tenant) for tokens, tenant in sent]
    came = send(Noting(), requests, model=Rate(requests=10, tokens=120), tenant=Rate(tokens=60), wait_s=1e6)
    assert len(came) == len(sent)
    for place, (start, _, _) in enumerate(came):
        for end in range(place, len(came)):
            minutes = (came[end][0] - start) / 60
            window = came[place : end + 1]
            assert len(window) <= 10 * (1 + minutes) + 1e-6
            assert sum(tokens for _, _, tokens in window) <= 120 * (1 + minutes) + 1e-6
            for tenant in "ab":
                own = sum(tokens for _, whose, tokens in window if whose == tenant)
                assert own <= 60 * (1 + minutes) + 1e-6


def test_a_tenant_that_sends_many_does_not_hold_up_another() -> None:
    requests = [asked("q", tenant="many") for _ in range(50)] + [asked("q", tenant="few") for _ in range(3)]
    came = send(Noting(), requests, model=Rate(requests=10), wait_s=1e6)
    assert [tenant for _, tenant, _ in came[:10]] == ["many"] * 10, "nobody else was there"
    assert [tenant for _, tenant, _ in came[10:17]].count("few") == 3


@given(st.lists(st.integers(1, 100), min_size=2, max_size=20))
def test_within_a_tenant_who_comes_first_goes_first(sizes: list[int]) -> None:
    requests = [asked("q" * 4, max_tokens=size, tenant="t") for size in sizes]
    came = send(Noting(), requests, model=Rate(tokens=120), wait_s=1e6)
    assert [tokens - 1 for _, _, tokens in came] == sizes


def test_a_tenant_at_its_own_limit_is_passed_by_others() -> None:
    requests = [asked("q", tenant="small")] * 3 + [asked("q", tenant="large")] * 3
    rates = {"small": Rate(requests=1), "": Rate(requests=100)}
    came = send(Noting(), requests, model=Rate(requests=100), tenant=rates, wait_s=1e6)
    assert [(when, tenant) for when, tenant, _ in came] == [
        (0.0, "small"), (0.0, "large"), (0.0, "large"), (0.0, "large"), (60.0, "small"), (120.0, "small"),
    ]  # fmt: skip


def test_what_was_not_used_is_given_back_and_what_was_used_beyond_is_owed() -> None:
    def last(usage: Usage) -> float:
        async def use() -> float:
            inner = Noting(usage)
            limited = Limited(inner, model=Rate(tokens=100), wait_s=1e6)
            for _ in range(3):
                await limited.complete(asked("q" * 4, max_tokens=99))
            return inner.came[-1][0]

        when: float = run_on_virtual_clock(use())
        return when

    assert last(Usage(1, 49)) == 60.0
    assert last(Usage(1, 99)) == 120.0
    assert last(Usage(1, 149)) == 180.0
    assert last(Usage(saved_tokens=100)) == 0.0


async def test_who_would_wait_too_long_is_told_at_once_and_when_to_come_again() -> None:
    limited = Limited(Noting(), tenant=Rate(requests=1), wait_s=30)
    await limited.complete(asked(tenant="t"))
    with pytest.raises(EngineBusy, match=r"limit of tenant 't' .* try again in 60 s") as caught:
        await limited.complete(asked(tenant="t"))
    assert caught.value.retry_after_s == pytest.approx(60, abs=1)


def test_who_waits_behind_others_is_told_at_its_bound() -> None:
    async def use() -> float:
        limited = Limited(Noting(), model=Rate(requests=2), wait_s=1000)
        calls = [asyncio.create_task(limited.complete(asked())) for _ in range(20)]
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await limited.complete(asked(timeout_s=40))
        now = asyncio.get_running_loop().time()
        await asyncio.gather(*calls)
        return now

    assert run_on_virtual_clock(use()) == 40.0


def test_one_that_is_cancelled_in_the_line_takes_nothing() -> None:
    async def use() -> list[float]:
        inner = Noting()
        limited = Limited(inner, model=Rate(requests=1), wait_s=1000)
        calls = [asyncio.create_task(limited.complete(asked())) for _ in range(4)]
        await asyncio.sleep(10)
        calls[1].cancel()
        calls[2].cancel()
        await asyncio.wait(calls)
        return [when for when, _, _ in inner.came]

    assert run_on_virtual_clock(use()) == [0.0, 60.0]


def test_a_stream_that_is_left_or_fails_is_counted_by_what_it_brought() -> None:
    async def use() -> list[float]:
        loop = asyncio.get_running_loop()
        times = []
        for client in (
            Faulty(lambda _: ["a"] * 9, HANGS),
            Faulty("", breaks(0)),
            Faulty(lambda _: ["a"] * 9),
        ):
            limited = Limited(client, model=Rate(tokens=100), wait_s=1e6)
            stream = limited.stream(ModelRequest((Message("user", "four"),), max_tokens=99))
            try:
                async with asyncio.timeout(1):
                    await anext(stream)
            except (TimeoutError, Exception):
                pass
            await stream.aclose()
            began = loop.time()
            await limited._turn(asked("four", max_tokens=99))  # a whole bucket
            times.append(round(loop.time() - began, 1))
        return times

    assert run_on_virtual_clock(use()) == [0.0, 0.0, 1.2]


def test_a_request_larger_than_the_limit_takes_all_of_it_and_owes_the_rest() -> None:
    requests = [asked("q" * 4, max_tokens=249), asked("q" * 4, max_tokens=49)]
    came = send(Noting(), requests, model=Rate(tokens=100), wait_s=1e6)
    assert [when for when, _, _ in came] == [0.0, 120.0]
