"""A deadline bounds a whole call, and whatever ends one ends all of the work below it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import ModelClient, ModelRequest
from crewgraph.runtime.errors import EngineTimeout
from crewgraph.serving.client.routing import (
    Deadline,
    Fallback,
    Hedged,
    Limited,
    Patience,
    Rate,
    Replica,
    Routed,
)

from ...clock import run_on_virtual_clock
from .conftest import HANGS, Act, Faulty, asked, breaks, read


def chain(*clients: Faulty) -> ModelClient:
    """All of it, in the order in which it is meant to be put together."""
    routed = Routed([Replica(str(place), client) for place, client in enumerate(clients)], silence_s=5)
    hedged = Hedged(routed, routed.second, after_s=2.0)
    return Limited(Deadline(Fallback([(hedged, None)])), model=Rate(requests=1000))


@pytest.mark.parametrize("streamed", [True, False])
def test_a_call_ends_at_its_deadline_however_often_it_was_tried(streamed: bool) -> None:
    clients = Faulty("", breaks(0)), Faulty("", breaks(0), Act(wait_s=50))
    routed = Routed([Replica("a", clients[0]), Replica("b", clients[1])], patience=Patience(attempts=1000))

    async def use() -> float:
        call = (
            read(Deadline(routed), asked(timeout_s=7))
            if streamed
            else Deadline(routed).complete(asked(timeout_s=7))
        )
        with pytest.raises(EngineTimeout, match="7 s"):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return asyncio.get_running_loop().time()

    assert run_on_virtual_clock(use()) == 7.0
    assert [client.open for client in clients] == [0, 0]


def test_calls_that_name_no_time_have_the_default() -> None:
    async def use() -> float:
        with pytest.raises(EngineTimeout):
            await read(Deadline(Faulty("", HANGS), default_s=3), asked())
        assert await read(Deadline(Faulty("x")), asked())
        return asyncio.get_running_loop().time()

    assert run_on_virtual_clock(use()) == 3.0


def test_a_reader_who_holds_a_piece_is_not_interrupted_and_then_told() -> None:
    async def use() -> None:
        client = Faulty(lambda _: ["a", "b"])
        stream = Deadline(client).stream(asked(timeout_s=3))
        assert (await anext(stream)).text == "a"
        await asyncio.sleep(10)
        with pytest.raises(EngineTimeout):
            await anext(stream)
        assert client.open == 0

    run_on_virtual_clock(use())


def test_a_cancellation_stays_one_even_at_the_deadline() -> None:
    async def use() -> None:
        call = asyncio.create_task(Deadline(Faulty("", HANGS)).complete(asked(timeout_s=3)))
        asyncio.get_running_loop().call_later(3, call.cancel)
        await asyncio.wait([call])
        assert call.cancelled(), "both came in the same moment"
        outer = asyncio.create_task(_hour(Deadline(Faulty("", HANGS)), asked(timeout_s=3600)))
        await asyncio.sleep(1)
        outer.cancel()
        await asyncio.wait([outer])
        assert outer.cancelled()

    run_on_virtual_clock(use())


async def _hour(client: ModelClient, request: ModelRequest) -> None:
    await client.complete(request)


def test_a_deadline_below_another_leaves_the_outer_one_be() -> None:
    async def use() -> str:
        slow = Deadline(Faulty("", HANGS), default_s=1)
        return (
            await Deadline(Fallback([(slow, None), (Faulty("fine"), None)]), default_s=5).complete(asked())
        ).text

    assert run_on_virtual_clock(use()) == "fine"


@given(
    at=st.floats(0, 20),
    acts=st.lists(st.sampled_from([HANGS, breaks(0), breaks(1), Act(wait_s=3)]), max_size=4),
)
def test_whenever_a_call_is_cancelled_nothing_is_left_of_it(at: float, acts: list[Act]) -> None:
    clients = (
        Faulty(lambda _: ["a", "b", "c"], *acts, HANGS, alive=False),
        Faulty(lambda _: ["a", "b", "c"], *acts, HANGS),
    )

    async def use() -> None:
        whole = chain(*clients)
        calls = [
            asyncio.create_task(read(whole, asked("one"))),
            asyncio.create_task(_hour(whole, asked("two"))),
        ]
        await asyncio.sleep(at)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_on_virtual_clock(use())
    assert [client.open for client in clients] == [0, 0]


@given(pieces=st.integers(0, 4))
def test_whenever_a_stream_is_left_nothing_is_left_of_it(pieces: int) -> None:
    client = Faulty(lambda _: ["a", "b", "c"], Act(wait_s=0.1))

    async def use() -> None:
        async with aclosing(chain(client, Faulty("", breaks(0))).stream(asked())) as stream:
            for _ in range(pieces):
                await anext(stream)
        assert client.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_on_virtual_clock(use())


async def test_closing_the_top_closes_every_client() -> None:
    clients = Faulty("a"), Faulty("b")
    await chain(*clients).aclose()
    assert [client.closed for client in clients] == [True, True]
