"""Whatever breaks wherever: the reader of a stream gets each piece of the text once, or a typed error."""

from __future__ import annotations

import asyncio
import random
import string
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import Message, ModelRequest, ToolSpec
from crewgraph.runtime.errors import (
    EngineError,
    EngineUnreachable,
    InvalidRequest,
    ModelError,
    StreamBroken,
)
from crewgraph.serving.client.routing import Breaker, Fallback, Patience, Replica, Routed

from ...clock import run_on_virtual_clock
from .conftest import WHOLE, Act, Faulty, Writes, asked, breaks, fails, read

ITEMS = 8
SIZE = 4  # "07x "
PATIENT = Patience(attempts=100, wait_s=1000)


def right(text: str) -> bool:
    """Whether a text is a beginning of one that some engine could write: numbered, nothing doubled or left out."""
    return len(text) <= ITEMS * SIZE and all(
        char in string.ascii_lowercase
        if place % SIZE == 2
        else char == f"{place // SIZE:02d}x "[place % SIZE]
        for place, char in enumerate(text)
    )


class Sampling:
    """Writes numbered items with a letter of its own choice each time, in random pieces; goes on with a begun text."""

    def __init__(self, data: st.DataObject, *, same: bool) -> None:
        self._data = data
        self._same = same

    def __call__(self, request: ModelRequest) -> list[str]:
        begun = request.messages[-1].content if request.continue_last else ""
        assert right(begun)
        letters, cuts = self._draws()
        text = "".join(f"{place:02d}{letter} " for place, letter in enumerate(letters))
        rest = text[len(begun) :]
        edges = [0, *sorted(cut for cut in cuts if cut < len(rest)), len(rest)]
        return [rest[a:b] for a, b in pairwise(edges) if b > a]

    def _draws(self) -> tuple[str, list[int]]:
        """The letters that it chooses, and where it cuts what it writes."""
        letters = self._data.draw(st.text("a" if self._same else "abc", min_size=ITEMS, max_size=ITEMS))
        return letters, list(self._data.draw(st.sets(st.integers(1, ITEMS * SIZE - 1), max_size=6)))


class Throwing(Sampling):
    """The same, with dice of its own."""

    def __init__(self, dice: random.Random, *, same: bool) -> None:
        self._dice = dice
        self._same = same

    def _draws(self) -> tuple[str, list[int]]:
        letters = "".join(self._dice.choices("a" if self._same else "abc", k=ITEMS))
        return letters, self._dice.sample(range(1, ITEMS * SIZE), k=self._dice.randrange(6))


ACTS = st.lists(
    st.one_of(st.just(WHOLE), st.integers(0, 7).map(breaks), st.just(Act(ends=False))), max_size=4
)
PLAIN = [WHOLE, breaks(0), breaks(1), breaks(3)]


@given(data=st.data(), same=st.booleans(), seeded=st.booleans())
def test_every_text_is_whole_and_right(data: st.DataObject, same: bool, seeded: bool) -> None:
    writes = Sampling(data, same=same)
    replicas = [Replica(name, Faulty(writes, *data.draw(ACTS), WHOLE)) for name in "abc"]
    routed = Routed(replicas, policy="weighted", patience=PATIENT)
    request = asked(temperature=0.0 if same else 1.0, seed=0 if seeded else None, max_tokens=100)
    text, reply = run_on_virtual_clock(read(routed, request))
    assert right(text)
    assert len(text) == ITEMS * SIZE
    assert reply.finish_reason == "stop"
    assert all(r.in_flight == 0 and r.client.open == 0 for r in replicas)  # type: ignore[attr-defined]  # Faulty


@given(data=st.data(), same=st.booleans())
def test_every_text_is_right_when_many_are_moved_about(data: st.DataObject, same: bool) -> None:
    dice = random.Random(
        data.draw(st.integers(0, 2**32))
    )  # who writes first is the clock's affair, not the draws'
    writes = Throwing(dice, same=same)
    plain = st.builds(
        lambda act, wait_s: replace(act, wait_s=wait_s), st.sampled_from(PLAIN), st.floats(0, 20)
    )
    hanging = st.sampled_from([Act(0), Act(1)])

    def replica(name: str, acts: st.SearchStrategy[Act], *, alive: bool) -> Replica:
        client = Faulty(writes, *data.draw(st.lists(acts, max_size=8)), WHOLE, alive=alive)
        return Replica(name, client, probe_s=1.0, breaker=Breaker(failures=1, pause_s=5.0))

    replicas = [replica("a", plain, alive=True), replica("b", plain | hanging, alive=False)]
    routed = Routed(replicas, policy="weighted", patience=PATIENT, silence_s=8.0)
    request = asked(temperature=0.0 if same else 1.0, seed=None, max_tokens=100)

    async def reads() -> list[str]:
        return [text for text, _ in await asyncio.gather(*(read(routed, request) for _ in range(6)))]

    for text in run_on_virtual_clock(reads()):
        assert right(text)
        assert len(text) == ITEMS * SIZE
    assert all(r.in_flight == 0 and r.client.open == 0 for r in replicas)  # type: ignore[attr-defined]  # Faulty


@given(data=st.data(), same=st.booleans())
def test_a_constrained_text_is_whole_and_right_or_ends_in_an_error(data: st.DataObject, same: bool) -> None:
    writes = Sampling(data, same=same)
    replicas = [Replica(name, Faulty(writes, *data.draw(ACTS), WHOLE)) for name in "ab"]
    routed = Routed(replicas, patience=Patience(attempts=5, wait_s=1000))
    shown: list[str] = []

    async def reads() -> type[Exception] | None:
        try:
            async for delta in routed.stream(asked(regex=".*", temperature=1.0, max_tokens=100)):
                shown.append(delta.text)
                assert delta.reply is None or delta.reply.text == "".join(shown)
        except EngineError as error:
            return type(error)
        return None

    ended = run_on_virtual_clock(reads())
    text = "".join(shown)
    assert right(text)
    assert len(text) == ITEMS * SIZE if ended is None else (not text or ended is StreamBroken)
    sent = [request for r in replicas for request in r.client.requests]  # type: ignore[attr-defined]  # Faulty
    assert not any(request.continue_last for request in sent)


@given(data=st.data())
def test_a_fallback_goes_on_with_another_models_words(data: st.DataObject) -> None:
    writes = Sampling(data, same=False)
    chain = [Faulty(writes, breaks(data.draw(st.integers(0, 7)))) for _ in range(3)]
    last = Faulty(writes)
    text, _ = run_on_virtual_clock(read(Fallback([*((c, None) for c in chain), (last, "other")]), asked()))
    assert right(text)
    assert len(text) == ITEMS * SIZE
    assert last.requests[-1].model == "other"


def words(text: str) -> Writes:
    return lambda _: text.replace(" ", "| ").split("|")


def over(*clients: Faulty, attempts: int = 6) -> Routed:
    names = iter("abcdef")
    return Routed(
        [Replica(next(names), client, breaker=Breaker(failures=100)) for client in clients],
        policy="weighted",
        patience=Patience(attempts=attempts, pause_s=0.0),
    )


async def test_a_reply_that_can_be_had_again_is_asked_for_again() -> None:
    one, two = Faulty(words("one two three four"), breaks(2)), Faulty(words("one two three four"))
    text, reply = await read(over(one, two), asked("say"))
    assert text == "one two three four"
    assert two.requests == one.requests
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3 + 3, 2 + 4)


async def test_a_reply_that_comes_out_differently_is_gone_on_with() -> None:
    one, two = (
        Faulty(words("one two three four"), breaks(2)),
        Faulty(lambda r: [" 3", " 4"] if r.continue_last else ["one", " more", " time"]),
    )
    text, reply = await read(over(one, two), asked("say", max_tokens=10))
    assert text == "one two 3 4"
    again, on = two.requests
    assert not again.continue_last
    assert on == replace(
        again, messages=(*again.messages, Message("assistant", "one two")), max_tokens=8, continue_last=True
    )
    assert reply.usage.completion_tokens == 2 + 2 + 2


async def test_a_reply_that_comes_out_shorter_than_what_was_shown_is_gone_on_with() -> None:
    two = Faulty(lambda r: [" four"] if r.continue_last else ["one", " two"])
    text, _ = await read(over(Faulty(words("one two three four"), breaks(3)), two), asked("say"))
    assert text == "one two three four"


async def test_a_sampled_reply_is_gone_on_with_at_once() -> None:
    one, two = Faulty(words("a b c d"), breaks(3)), Faulty(lambda _: [" D"])
    text, _ = await read(over(one, two), asked(temperature=0.7, seed=None))
    assert text == "a b c D"
    assert [r.continue_last for r in two.requests] == [True]


async def test_space_at_the_seam_is_there_once() -> None:
    for next_piece in ("next", "\n\nnext", " next", "\n"):
        two = Faulty(lambda _, piece=next_piece: [piece, "!"])  # type: ignore[misc]  # bound now
        text, _ = await read(
            over(Faulty(lambda _: ["line", "\n\n", "x"], breaks(2)), two), asked(seed=None, temperature=1.0)
        )
        assert two.requests[0].messages[-1] == Message("assistant", "line")
        assert text == "line\n\n" + next_piece.strip() + "!"


async def test_a_reply_of_which_there_is_only_space_begins_anew() -> None:
    two = Faulty(lambda _: ["\n", "text"])
    text, _ = await read(
        over(Faulty(lambda _: ["\n", "x"], breaks(1)), two), asked(seed=None, temperature=1.0)
    )
    assert text == "\ntext"
    assert two.requests == [asked(seed=None, temperature=1.0)]


async def test_a_reply_that_lost_only_its_end_is_not_asked_for_when_it_is_full() -> None:
    one, two = Faulty(words("a b c d"), breaks(4)), Faulty("never")
    text, reply = await read(over(one, two), asked(temperature=1.0, seed=None, max_tokens=4))
    assert (text, reply.finish_reason, two.requests) == ("a b c d", "length", [])


class Counts(Faulty):
    async def count_tokens(self, request: ModelRequest) -> int:
        return sum(len(message.content) for message in request.messages)


@pytest.mark.parametrize("whole", [False, True])
async def test_pieces_of_several_tokens_do_not_make_a_reply_longer_than_it_may_be(whole: bool) -> None:
    one, two = Faulty(lambda _: ["abc", "def", "ghi"], breaks(2)), Counts(lambda _: ["g", "h", "i", "j"])
    limit = 6 if whole else 8
    for client in (
        over(one, two),
        Fallback([(Faulty(lambda _: ["abc", "def"], breaks(2)), None), (two, "other")]),
    ):
        text, reply = await read(client, asked(temperature=1.0, seed=None, max_tokens=limit))
        assert text == ("abcdef" if whole else "abcdefgh")
        assert reply.finish_reason == ("length" if whole else "stop")


async def test_a_begun_message_of_the_callers_own_is_made_longer() -> None:
    begun = ModelRequest(
        (Message("user", "Q"), Message("assistant", "It is")), continue_last=True, temperature=1.0, seed=None
    )
    one, two = Faulty(words(" a b c"), breaks(2)), Faulty(words(" C"))
    text, _ = await read(over(one, two), begun)
    assert text == " a C"
    assert two.requests[0].messages == (Message("user", "Q"), Message("assistant", "It is a"))


async def test_engines_that_cannot_go_on_leave_it_to_those_that_can() -> None:
    refuses = fails(InvalidRequest("This engine cannot go on with a begun message."))
    clients = Faulty(words("a b c"), breaks(2), refuses), Faulty("", refuses), Faulty(words(" C"))
    text, _ = await read(over(*clients), asked(temperature=1.0, seed=None))
    assert text == "a b C"


async def test_a_stream_that_nobody_can_go_on_with_ends_with_its_own_error() -> None:
    refuses = fails(InvalidRequest("This engine cannot go on with a begun message."))
    routed = over(Faulty(words("a b c"), breaks(2), refuses), Faulty("", refuses))
    stream = routed.stream(asked(temperature=1.0, seed=None))
    assert [(await anext(stream)).text, (await anext(stream)).text] == ["a", " b"]
    with pytest.raises(StreamBroken, match=r"after 3 characters .*cannot go on with a begun message"):
        await anext(stream)


async def test_a_call_with_tools_is_only_asked_for_again() -> None:
    request = asked(tools=(ToolSpec("add", "adds", {}),), temperature=1.0, seed=None)
    two = Faulty(words("a b c"))
    assert (await read(over(Faulty(words("a b c"), breaks(2)), two), request))[0] == "a b c"
    assert two.requests == [request]


@pytest.mark.parametrize("error", [ModelError("wrong"), InvalidRequest("wrong")])
async def test_what_the_request_is_to_blame_for_is_not_tried_again(error: Exception) -> None:
    one, two = Faulty("", fails(error)), Faulty("never")
    for call in (over(one, two).complete(asked()), read(over(one, two), asked())):
        with pytest.raises(type(error), match="wrong"):
            await call
    assert two.requests == []


async def test_a_whole_reply_is_tried_elsewhere() -> None:
    two = Faulty("two")
    routed = over(Faulty("one", breaks(0)), two)
    assert (await routed.complete(asked())).text == "two"


async def test_what_fails_everywhere_ends_with_the_last_error() -> None:
    clients = Faulty("", breaks(0)), Faulty("", breaks(0))
    with pytest.raises(EngineUnreachable, match="Nobody is there"):
        await over(*clients, attempts=4).complete(asked())
    assert [len(client.requests) for client in clients] == [2, 2]


async def test_leaving_a_stream_closes_everything_below() -> None:
    client = Faulty(words("a b c d"))
    stream = over(client, Faulty("")).stream(asked())
    async with aclosing(stream):
        assert (await anext(stream)).text == "a"
        assert client.open == 1
    assert client.open == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
