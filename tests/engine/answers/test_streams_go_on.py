"""A stream that was cut off goes on behind what its reader has, and never repeats or takes back any of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import ModelReply, ModelRequest, Usage
from crewgraph.runtime.errors import ModelError, ReplyTruncated
from crewgraph.serving.client.answers import Checked, shape_of
from crewgraph.serving.client.answers.following import Following, WentAnotherWay
from crewgraph.serving.client.answers.reading import MAX_WHITESPACE, JsonText, runs_away

from .wayward import ASK, PROMPT_TOKENS, Said, Wayward, engine_that_writes, read

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 60}},
    "required": ["city"],
    "additionalProperties": False,
}
PARIS = '{"city": "Paris,  the capital of France"}'
CALL = ModelRequest(ASK, schema=CITY, max_tokens=4)


async def test_a_stream_that_was_cut_off_goes_on_where_it_was() -> None:
    inner = Wayward(engine_that_writes(PARIS))
    pieces, reply = await read(Checked(inner), CALL)
    assert "".join(pieces) == reply.text == PARIS
    assert pieces[:4] == ['{"c', "ity", '":', ' "Pa'], "nobody waits for the end"
    assert [request.max_tokens for request in inner.requests] == [4, 260]
    assert reply.usage == Usage(2 * PROMPT_TOKENS, 4 + 14)
    assert inner.streams_closed == 2


async def test_a_client_that_raises_in_its_stream_is_asked_again_too() -> None:
    cut = ReplyTruncated("cut off", ModelReply('{"city"', "length", Usage(7, 3)))
    pieces, reply = await read(Checked(Wayward([Said('{"city"', error=cut), PARIS])), CALL)
    assert "".join(pieces) == reply.text == PARIS
    assert reply.usage.completion_tokens == 3 + 14


@pytest.mark.parametrize(
    "second", ['{"city": "Rome, where all roads lead"}', '{"town": "Paris"}', '["city"]']
)
async def test_a_second_attempt_that_goes_another_way_is_an_error(second: str) -> None:
    inner = Wayward([Said('{"city": "Par', "length"), second])
    pieces: list[str] = []

    async def reader() -> None:
        async for delta in Checked(inner).stream(CALL):
            pieces.append(delta.text)

    with pytest.raises(ReplyTruncated, match="another way") as gone:
        await reader()
    assert "".join(pieces) == '{"city": "Par', "nothing was given twice, and nothing of the other way"
    assert isinstance(gone.value.reply, ModelReply)
    assert gone.value.reply.usage.completion_tokens > 5
    assert inner.streams_closed == 2


async def test_what_is_not_answered_the_same_way_twice_is_not_asked_for_twice() -> None:
    inner = Wayward([Said('{"city": "Par', "length")])
    with pytest.raises(ReplyTruncated):
        await read(Checked(inner), ModelRequest(ASK, schema=CITY, temperature=1.0, seed=None))


async def test_whitespace_that_runs_away_is_broken_off_and_never_given() -> None:
    endless = '{"city":' + "\n \t" * 10_000
    inner = Wayward([Said(endless, "length"), '{"city":"Paris"}'])
    pieces, reply = await read(Checked(inner, shape=shape_of("vllm")), CALL)
    assert "".join(pieces) == reply.text == '{"city":"Paris"}'
    assert inner.requests[1].grammar is not None
    assert reply.usage.completion_tokens < MAX_WHITESPACE
    assert reply.usage.prompt_tokens == 2 * PROMPT_TOKENS, (
        "the engine that was broken off read its prompt, too"
    )


async def test_whitespace_behind_a_whole_reply_ends_it() -> None:
    inner = Wayward([Said('{"city": "Rome"}' + "\n" * 10_000, "length")])
    pieces, reply = await read(Checked(inner), CALL)
    assert "".join(pieces) == reply.text == '{"city": "Rome"}'
    assert reply.finish_reason == "stop"


async def test_a_stream_of_another_form_ends_in_an_error() -> None:
    for form in ({"schema": CITY}, {"choices": ("yes", "no")}, {"regex": "[0-9]+"}):
        inner = Wayward(["something else"])
        with pytest.raises(ModelError, match="cannot be used"):
            await read(Checked(inner), ModelRequest(ASK, **form))  # type: ignore[arg-type]  # one of three


async def test_bounds_stay_on_the_wire_of_a_stream() -> None:
    inner = Wayward([PARIS])
    await read(Checked(inner, shape=shape_of("vllm")), CALL)
    assert inner.requests[0].schema == CITY


async def test_leaving_a_stream_closes_the_engines() -> None:
    inner = Wayward(engine_that_writes(PARIS))
    stream = Checked(inner).stream(CALL)
    await anext(stream)
    await stream.aclose()
    assert inner.streams_closed == 1


async def test_text_without_a_form_is_passed_on_as_it_comes() -> None:
    inner = Wayward([Said("Paris" + "\n" * 500 + "and so on", "length")])
    pieces, reply = await read(Checked(inner), ModelRequest(ASK))
    assert "".join(pieces) == reply.text
    assert reply.finish_reason == "length"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet=' "\\\n{}[]a', max_size=6)),
    lambda some: st.one_of(
        st.lists(some, max_size=3), st.dictionaries(st.text(max_size=3), some, max_size=3)
    ),
    max_leaves=6,
)
WAYS: list[dict[str, Any]] = [{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}]


@given(VALUES, st.data())
def test_however_often_and_wherever_it_is_cut_the_reader_gets_the_value_once(value: Any, data: Any) -> None:
    ascii_too = {"ensure_ascii": False}
    ways = [{**ascii_too, **way} for way in WAYS]
    shown = Following(json=True)
    got = ""
    for _ in range(data.draw(st.integers(0, 3))):
        shown.again()
        text = json.dumps(value, **data.draw(st.sampled_from(ways)))
        for char in text[: data.draw(st.integers(0, len(text)))]:
            got += shown.take(char)
    shown.again()
    got += shown.take(json.dumps(value, **data.draw(st.sampled_from(ways))))
    assert json.loads(got) == value
    assert got == shown.text


@given(st.text(alphabet="ab \n", min_size=1), st.text(alphabet="ab \n"), st.data())
def test_text_that_is_no_json_is_compared_as_it_is(first: str, second: str, data: Any) -> None:
    cut = data.draw(st.integers(0, len(first)))
    shown = Following(json=False)
    given_text = shown.take(first[:cut])
    shown.again()
    if second[:cut] == first[: min(cut, len(second))]:
        given_text += shown.take(second)
        assert given_text == (second if len(second) >= cut else first[:cut])
    else:
        with pytest.raises(WentAnotherWay):
            shown.take(second)


@given(VALUES)
def test_what_means_something_in_json_is_known_character_by_character(value: Any) -> None:
    read_text = JsonText()
    pretty = json.dumps(value, indent=3)
    meant = "".join(char for char in pretty if read_text.means(char))
    assert meant == json.dumps(value, separators=(",", ":"))


@given(VALUES, st.integers(0, 2 * MAX_WHITESPACE), st.sampled_from(" \n\t"))
def test_a_run_of_whitespace_is_known_in_a_whole_text(value: Any, run: int, white: str) -> None:
    text = json.dumps([value, 0], separators=(",", ":"))
    assert runs_away(text[:-2] + white * run + text[-2:]) == (run > MAX_WHITESPACE)
