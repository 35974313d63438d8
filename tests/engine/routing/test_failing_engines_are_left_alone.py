"""An engine that fails is left alone for a while, then asked once; calls meanwhile go elsewhere, or wait."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import ModelReply
from crewgraph.runtime.errors import (
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    KeyRefused,
    ModelError,
    UnknownModel,
)
from crewgraph.serving.client.routing import Breaker, Patience, Replica, Routed

from ...clock import run_on_virtual_clock
from .conftest import HANGS, WHOLE, Act, Faulty, asked, breaks, fails, read


def timed(work: Coroutine[Any, Any, Any]) -> tuple[Any, float]:
    """What came of it, and the virtual seconds that it took."""

    async def both() -> tuple[Any, float]:
        try:
            result = await work
        except EngineError as error:
            result = error
        return result, asyncio.get_running_loop().time()

    result: tuple[Any, float] = run_on_virtual_clock(both())
    return result


def test_it_opens_at_the_third_failure_in_a_row_and_asks_again_after_growing_times() -> None:
    breaker = Breaker(failures=3, pause_s=1.0, longest_s=3.0)
    for _ in range(2):
        breaker.failed(0.0, trial=breaker.enter())
    breaker.succeeded()
    for _ in range(3):
        assert breaker.state == "closed"
        breaker.failed(0.0, trial=breaker.enter())
    now, waits = 0.0, []
    for _ in range(4):
        assert breaker.state == "open"
        waits.append(breaker.free_at - now)
        now = breaker.free_at
        assert breaker.enter()
        assert (breaker.state, breaker.free_at) == ("half-open", math.inf)
        breaker.failed(now, trial=True)
    assert waits == [1.0, 2.0, 3.0, 3.0]
    now = breaker.free_at
    breaker.enter()
    breaker.succeeded()
    assert (breaker.state, breaker.free_at) == ("closed", 0.0)


def test_failures_of_requests_that_were_under_way_when_it_opened_change_nothing() -> None:
    breaker = Breaker(failures=1, pause_s=1.0)
    breaker.failed(0.0, trial=False)
    for _ in range(50):
        breaker.failed(0.5, trial=False)
    assert breaker.free_at == 1.0
    assert breaker.enter()
    breaker.failed(1.0, trial=False)
    assert breaker.state == "half-open"


def test_one_that_was_to_see_and_was_given_up_leaves_it_to_the_next() -> None:
    breaker = Breaker(failures=1, pause_s=1.0)
    breaker.failed(0.0, trial=False)
    assert breaker.enter()
    breaker.left(1.5, trial=True)
    assert (breaker.state, breaker.free_at) == ("open", 1.5)


def test_one_answer_that_begins_lets_others_through_but_a_failure_closes_at_once() -> None:
    breaker = Breaker(failures=3, pause_s=1.0)
    for _ in range(3):
        breaker.failed(0.0, trial=False)
    trial = breaker.enter()
    breaker.began()
    assert breaker.free_at == 0.0
    breaker.failed(1.0, trial=trial)
    assert breaker.free_at == 3.0


@given(st.lists(st.sampled_from(["enter", "began", "succeeded", "failed", "left"]), max_size=40))
def test_at_most_one_request_is_under_way_where_one_is_to_see(acts: list[str]) -> None:
    breaker, now = Breaker(failures=2), 0.0
    trials: list[bool] = []
    for act in acts:
        if act == "enter":
            now = max(now, breaker.free_at) if breaker.free_at < math.inf else now
            if breaker.free_at <= now:
                trials.append(breaker.enter())
        elif act in ("began", "succeeded"):
            getattr(breaker, act)()
        elif trials:
            getattr(breaker, act)(now, trial=trials.pop())
        assert breaker.free_at <= now + 60 or breaker.state == "half-open"
        assert breaker.state != "half-open" or any(trials), "nobody would ever see"


def test_a_dead_engine_is_asked_three_times_among_a_hundred_requests() -> None:
    dead, living = Faulty("", breaks(0)), Faulty("fine")

    async def use() -> list[str]:
        routed = Routed([Replica("dead", dead), Replica("living", living)], policy="weighted")
        return [(await routed.complete(asked(str(n)))).text for n in range(100)]

    replies, seconds = timed(use())
    assert replies == ["fine"] * 100
    assert len(dead.requests) == 3
    assert seconds == 0.0, "another replica is tried without a pause"


def test_an_engine_that_comes_back_gets_requests_again() -> None:
    shaky = Faulty("fine", *[breaks(0)] * 5, WHOLE)
    routed_texts: list[str] = []

    async def use() -> None:
        routed = Routed([Replica("shaky", shaky)], patience=Patience(attempts=20, wait_s=60))
        for _ in range(3):
            routed_texts.append((await routed.complete(asked())).text)

    _, seconds = timed(use())
    assert routed_texts == ["fine"] * 3
    assert 7.3 <= seconds < 9.9, (
        "two short pauses between the first tries; then open for one second, two, four"
    )


def test_all_that_wait_for_an_engine_go_when_the_first_has_seen_that_it_lives() -> None:
    client = Faulty("fine", *[breaks(0)] * 3, Act(wait_s=1.0))

    async def use() -> list[ModelReply]:
        routed = Routed([Replica("a", client, breaker=Breaker(failures=1, pause_s=1.0))])
        return await asyncio.gather(*(routed.complete(asked(str(n))) for n in range(30)))

    replies, _ = timed(use())
    assert [reply.text for reply in replies] == ["fine"] * 30


def test_an_engine_that_is_back_gets_its_share_of_what_waits_elsewhere() -> None:
    """Nobody has to send a new request for it to be found."""
    back, slow = Faulty("fine", breaks(0), breaks(0), WHOLE), Faulty("slow", Act(wait_s=1000))

    async def use() -> list[str]:
        breaker = Breaker(failures=1, pause_s=1.0)
        routed = Routed([Replica("back", back, breaker=breaker), Replica("slow", slow)], policy="weighted")
        done = await asyncio.gather(*(read(routed, asked(str(n))) for n in range(20)))
        return [text for text, _ in done]

    texts, seconds = timed(use())
    assert sorted(texts) == ["fine"] * 10 + ["slow"] * 10
    assert (back.open, slow.open, len(back.requests), seconds) == (0, 0, 12, 2000.0)


def test_a_stream_that_waits_alone_is_not_sent_to_see_whether_an_engine_is_back() -> None:
    dead, slow = Faulty("", breaks(0)), Faulty("slow", Act(wait_s=1000))

    async def use() -> str:
        pair = [Replica("dead", dead, breaker=Breaker(failures=1)), Replica("slow", slow)]
        return (await read(Routed(pair, policy="weighted"), asked()))[0]

    assert timed(use())[0] == "slow"
    assert len(dead.requests) == 1


def test_while_no_engine_takes_requests_a_call_waits_so_long_and_no_longer() -> None:
    async def use() -> None:
        replica = Replica(
            "a", Faulty("", breaks(0)), breaker=Breaker(failures=1, pause_s=1000, longest_s=1000)
        )
        await Routed([replica], patience=Patience(wait_s=20)).complete(asked())

    error, seconds = timed(use())
    assert isinstance(error, EngineUnreachable)
    assert "No engine takes requests now" in str(error)
    assert "a: Nobody is there" in str(error)
    assert 20 <= seconds < 21


def test_a_busy_engine_is_given_the_time_that_it_asks_for_and_is_not_blamed() -> None:
    client = Faulty("fine", *[fails(EngineBusy("full", retry_after_s=5))] * 4, WHOLE)
    replica = Replica("a", client)

    async def use() -> str:
        return (await Routed([replica], patience=Patience(wait_s=60)).complete(asked())).text

    text, seconds = timed(use())
    assert (text, replica.breaker.state) == ("fine", "closed")
    assert 20 <= seconds < 30


@pytest.mark.parametrize("error", [KeyRefused("no key"), UnknownModel("no such model")])
def test_what_an_engine_will_never_do_is_tried_once_on_each(error: EngineError) -> None:
    clients = Faulty("", fails(error)), Faulty("", fails(error))
    ended, seconds = timed(Routed([Replica("a", clients[0]), Replica("b", clients[1])]).complete(asked()))
    assert (ended, seconds) == (error, 0.0)
    assert [len(client.requests) for client in clients] == [1, 1]


async def test_a_model_that_nobody_has_is_not_held_against_the_engines() -> None:
    replica = Replica("a", Faulty("", fails(UnknownModel("no such model"))))
    for _ in range(5):
        with pytest.raises(UnknownModel):
            await Routed([replica]).complete(asked())
    assert replica.breaker.state == "closed"


async def test_unusable_answers_are_not_held_against_the_engine() -> None:
    replica = Replica("a", Faulty("", fails(ModelError("nonsense"))))
    for _ in range(5):
        with pytest.raises(ModelError):
            await Routed([replica]).complete(asked())
    assert replica.breaker.state == "closed"


def test_a_silent_engine_that_does_not_answer_a_probe_is_left_for_another() -> None:
    frozen, living = Faulty("x", HANGS, alive=False), Faulty("fine")

    async def use() -> str:
        pair = [Replica("frozen", frozen, probe_s=2.0), Replica("living", living)]
        return (await Routed(pair, policy="weighted", silence_s=10).complete(asked())).text

    assert timed(use()) == ("fine", 12.0)
    assert frozen.open == 0


def test_a_stream_that_falls_silent_goes_on_elsewhere() -> None:
    frozen = Faulty(lambda _: ["a", "b", "c"], Act(2, None), alive=False)
    living = Faulty(lambda _: ["a", "b", "c"])

    async def use() -> list[str]:
        pair = [Replica("frozen", frozen, probe_s=2.0), Replica("living", living)]
        routed = Routed(pair, policy="weighted", silence_s=10)
        return [delta.text async for delta in routed.stream(asked())]

    assert timed(use()) == (["a", "b", "c", ""], 12.0)


def test_a_slow_engine_that_answers_a_probe_is_waited_for() -> None:
    slow = Faulty(lambda _: ["a", "b"], Act(wait_s=100))

    async def use() -> list[str]:
        routed = Routed(
            [Replica("slow", slow), Replica("other", Faulty("never"))], policy="weighted", silence_s=10
        )
        return [delta.text async for delta in routed.stream(asked())]

    assert timed(use()) == (["a", "b", ""], 300.0)
    assert slow.probes == 27, "nine for each hundred seconds: one each ten seconds of silence"


def test_many_silent_streams_probe_their_engine_once() -> None:
    frozen, living = Faulty("x", HANGS, alive=False), Faulty("fine")

    async def use() -> list[ModelReply]:
        pair = [Replica("frozen", frozen), Replica("living", living)]
        routed = Routed(pair, policy="weighted", silence_s=10)
        return await asyncio.gather(*(routed.complete(asked(str(n))) for n in range(50)))

    replies, seconds = timed(use())
    assert [reply.text for reply in replies] == ["fine"] * 50
    assert (frozen.probes, seconds) == (1, 15.0)


def test_a_reader_who_is_slow_is_not_an_engine_that_is_silent() -> None:
    client = Faulty(lambda _: ["a", "b", "c"], alive=False)

    async def use() -> list[str]:
        pieces = []
        async for delta in Routed([Replica("a", client)], silence_s=10).stream(asked()):
            pieces.append(delta.text)
            await asyncio.sleep(1000)
        return pieces

    assert timed(use())[0] == ["a", "b", "c", ""]
    assert client.probes == 0


def test_an_engine_that_took_too_long_is_left_unless_the_calls_own_time_is_up() -> None:
    late = fails(EngineTimeout("nothing for 600 s"))
    clients = Faulty("", late), Faulty("fine")

    async def use(timeout_s: float | None) -> str:
        pair = [Replica("a", clients[0]), Replica("b", clients[1])]
        return (await Routed(pair, policy="weighted").complete(asked(timeout_s=timeout_s))).text

    assert timed(use(None))[0] == "fine"
    assert isinstance(timed(use(30.0))[0], EngineTimeout)
