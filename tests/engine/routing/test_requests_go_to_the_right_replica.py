"""Several replicas are one client: by weight, by load, or where the beginning of the prompt is known."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import Hints, Message, ModelRequest
from crewgraph.runtime.errors import EngineError, InvalidInput
from crewgraph.serving.client.routing import Load, Replica, Routed, load_of
from crewgraph.serving.client.routing.replicas.choosing import Affine, LeastLoaded, Weighted

from ...clock import run_on_virtual_clock
from .conftest import Act, Faulty, asked, breaks

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
"""


def replicas(*weights: float) -> list[Replica]:
    return [Replica(f"r{place}", Faulty("x"), weight) for place, weight in enumerate(weights)]


def talk(*texts: str, run: str = "", tenant: str = "") -> ModelRequest:
    return ModelRequest(tuple(Message("user", text) for text in texts), hints=Hints(run=run, tenant=tenant))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_weights_are_shares_and_spread_out(weights: list[int]) -> None:
    choose, able, total = Weighted(), replicas(*weights), sum(weights)
    for _ in range(3):
        chosen = Counter(choose(asked(), able).name for _ in range(total))
        assert [chosen[r.name] for r in able] == weights


def test_of_two_weights_the_turns_are_mixed() -> None:
    choose, able = Weighted(), replicas(2, 1)
    assert [choose(asked(), able).name for _ in range(6)] == ["r0", "r1", "r0"] * 2


def test_the_least_loaded_for_its_weight_is_chosen() -> None:
    choose, able = LeastLoaded(), replicas(1, 4, 1)
    able[0].in_flight, able[1].in_flight, able[2].in_flight = 2, 4, 3
    assert choose(asked(), able).name == "r1"
    able[1].load = Load(waiting=9)
    assert choose(asked(), able).name == "r0"


def test_among_equals_the_emptiest_cache_is_chosen() -> None:
    able = replicas(1, 1)
    able[0].load, able[1].load = Load(cache_used=0.9), Load(cache_used=0.1)
    assert {LeastLoaded()(asked(), able).name for _ in range(3)} == {"r1"}


def test_a_conversation_stays_where_it_began() -> None:
    choose, able = Affine(), replicas(1, 1, 1)
    homes = {name: choose(talk("shared", name), able).name for name in "abcdef"}
    for name, home in homes.items():
        assert choose(talk("shared", name, "more", "and more"), able).name == home


def test_a_run_stays_where_it_began_though_nothing_of_its_prompts_is_the_same() -> None:
    choose, able = Affine(), replicas(1, 1, 1)
    homes = {run: choose(talk(run, run=run), able).name for run in "abc"}
    assert len(set(homes.values())) == 3
    assert {run: choose(talk(f"other {run}", run=run), able).name for run in "abc"} == homes


def test_tenants_share_no_beginning() -> None:
    choose, able = Affine(), replicas(1, 1)
    one = choose(talk("same", tenant="one"), able).name
    assert choose(talk("same", tenant="two"), able).name != one


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_a_known_beginning_never_makes_one_replica_clearly_busier(kinds: list[int]) -> None:
    choose, able = Affine(bound=1.25, slack=2.0), replicas(1, 1, 1)
    for kind in kinds:
        choose(talk(f"beginning {kind}"), able).in_flight += 1
    mean = len(kinds) / 3
    assert max(replica.in_flight for replica in able) <= 1.25 * mean + 2.0 + 1


def test_vllms_own_metrics_are_understood() -> None:
    assert load_of(VLLM) == Load(running=7, waiting=2, cache_used=0.5)
    assert load_of("<html>no metrics here</html>") == Load()


async def test_an_engine_that_others_use_gets_fewer_requests() -> None:
    readings = 0

    async def watch() -> Load:
        nonlocal readings
        readings += 1
        return Load(running=5)

    busy, free = Faulty("busy", Act(wait_s=0.001)), Faulty("free", Act(wait_s=0.001))
    routed = Routed([Replica("busy", busy, watch=watch), Replica("free", free)], policy="least-loaded")
    for _ in range(7):
        await routed.complete(asked())
    assert readings == 1, "read once while it is fresh"
    assert len(busy.requests) <= 1, "only the first one came before it was known"
    assert len(free.requests) >= 6


def test_metrics_are_read_only_when_a_request_finds_them_old() -> None:
    readings: list[float] = []

    async def watch() -> Load:
        readings.append(asyncio.get_running_loop().time())
        return Load()

    async def use() -> None:
        routed = Routed([Replica("a", Faulty("x", Act(wait_s=0.1)), watch=watch)], fresh_s=1.0)
        for pause in (0.0, 0.5, 100.0, 0.0):
            await asyncio.sleep(pause)
            await routed.complete(asked())

    run_on_virtual_clock(use())
    assert len(readings) == 2


async def test_a_reading_that_hangs_or_fails_holds_nothing_up() -> None:
    async def hangs() -> Load:
        await asyncio.Event().wait()
        raise AssertionError

    async def fails() -> Load:
        raise OSError("no metrics")

    pair = [Replica("a", Faulty("x"), watch=hangs), Replica("b", Faulty("x"), watch=fails)]
    assert (await Routed(pair).complete(asked())).text == "x"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_second_request_beside_a_first_goes_elsewhere() -> None:
    clients = Faulty("one"), Faulty("two")
    routed = Routed([Replica("a", clients[0]), Replica("b", clients[1])])
    request = asked()
    async with aclosing(routed.stream(request)) as first, aclosing(routed.second.stream(request)) as second:
        await anext(first)
        await anext(second)
        assert [client.open for client in clients] == [1, 1]


async def test_what_one_replica_cannot_tell_another_does() -> None:
    routed = Routed([Replica("a", Faulty("x")), Replica("b", Faulty("x", window=4096))])
    assert await routed.models() == ["faulty"]
    with pytest.raises(EngineError, match="makes no embeddings"):
        await routed.embed(("text",))
    await routed.aclose()
    assert all(replica.client.closed for replica in routed.replicas)  # type: ignore[attr-defined]  # Faulty


@pytest.mark.parametrize("bad", [[], [Replica("a", Faulty("")), Replica("a", Faulty(""))], replicas(0.0)])
def test_a_router_without_distinct_engines_is_refused(bad: list[Replica]) -> None:
    with pytest.raises(InvalidInput, match="at least one engine"):
        Routed(bad)


async def test_a_router_that_is_closed_leaves_nothing_at_its_replicas() -> None:
    replica = Replica("a", Faulty("", breaks(0)))
    for _ in range(3):
        await Routed([replica]).aclose()
    assert replica.listeners == []
