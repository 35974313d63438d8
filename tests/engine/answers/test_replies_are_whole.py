"""A reply that was cut off, ran away or has another form is asked for again, a few times, and never passed on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from crewgraph.agents.model import ModelReply, ModelRequest, Usage
from crewgraph.runtime.errors import (
    ContextTooLong,
    EngineTimeout,
    EngineUnreachable,
    ModelError,
    ReplyTruncated,
)
from crewgraph.serving.client.answers import Checked, Shape, shape_of

from .wayward import ASK, PROMPT_TOKENS, Said, Wayward, engine_that_writes

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 40}},
    "required": ["city"],
    "additionalProperties": False,
}
PARIS = '{"city": "Paris, the capital of France"}'
CALL = ModelRequest(ASK, schema=CITY, max_tokens=4)


async def test_a_reply_that_was_cut_off_is_asked_for_with_more_room() -> None:
    inner = Wayward(engine_that_writes(PARIS, chunk=3))
    reply = await Checked(inner).complete(CALL)
    assert reply.text == PARIS
    assert reply.finish_reason == "stop"
    assert [request.max_tokens for request in inner.requests] == [4, 260]
    assert reply.usage == Usage(2 * PROMPT_TOKENS, 4 + 14), "both times are counted"


async def test_a_client_that_raises_for_a_cut_off_reply_is_asked_again_too() -> None:
    cut = ReplyTruncated("cut off", ModelReply('{"ci', "length", Usage(7, 4)))
    inner = Wayward([Said(error=cut), PARIS])
    reply = await Checked(inner).complete(CALL)
    assert reply.text == PARIS
    assert reply.usage.completion_tokens == 4 + 14


async def test_a_reply_that_never_ends_is_given_up_with_what_it_cost() -> None:
    inner = Wayward(engine_that_writes('{"city": "' + "a" * 100_000))
    with pytest.raises(ReplyTruncated, match=r"cut off .* asked for 3 times; raise max_tokens") as gone:
        await Checked(inner).complete(CALL)
    assert [request.max_tokens for request in inner.requests] == [4, 260, 520]
    assert isinstance(gone.value.reply, ModelReply)
    assert gone.value.reply.usage == Usage(3 * PROMPT_TOKENS, 4 + 260 + 520)


async def test_more_room_than_the_window_has_is_never_asked_for() -> None:
    inner = Wayward(engine_that_writes('{"city": "' + "a" * 100_000), window=100)
    with pytest.raises(ReplyTruncated):
        await Checked(inner).complete(CALL)
    assert [request.max_tokens for request in inner.requests] == [4, 100 - PROMPT_TOKENS]


async def test_a_window_that_turns_out_too_small_leaves_the_first_reason() -> None:
    inner = Wayward([Said('{"ci', "length"), Said(error=ContextTooLong("too long by 9 tokens", 9))])
    with pytest.raises(ReplyTruncated):
        await Checked(inner).complete(CALL)
    with pytest.raises(ContextTooLong):
        await Checked(Wayward([Said(error=ContextTooLong("too long by 9 tokens", 9))])).complete(CALL)


@pytest.mark.parametrize(
    ("form", "cut", "whole"),
    [
        ({"schema": {"type": "integer"}}, "12", "1234"),
        ({"choices": ("ab", "abc")}, "ab", "abc"),
        ({"regex": "[0-9]+"}, "12", "1234"),
        ({"grammar": "root ::= [0-9]+"}, "12", "1234"),
    ],
)
async def test_the_beginning_of_a_reply_is_not_taken_for_it(
    form: dict[str, Any], cut: str, whole: str
) -> None:
    inner = Wayward([Said(cut, "length"), whole])
    reply = await Checked(inner).complete(ModelRequest(ASK, **form))
    assert reply.text == whole


async def test_text_without_a_form_may_be_cut_off() -> None:
    reply = await Checked(Wayward([Said("Paris is", "length")])).complete(ModelRequest(ASK))
    assert (reply.text, reply.finish_reason) == ("Paris is", "length")


@pytest.mark.parametrize(
    ("form", "wrong", "right", "told"),
    [
        ({"schema": CITY}, "It is Paris.", PARIS, '"maxLength":40'),
        ({"schema": CITY}, '{"town": 1}', PARIS, "'city' is a required property"),
        ({"choices": ("yes", "no")}, "maybe", "no", "yes | no"),
        ({"regex": "[0-9]+"}, "three", "3", "[0-9]+"),
    ],
)
async def test_a_model_is_told_once_what_was_wrong(
    form: dict[str, Any], wrong: str, right: str, told: str
) -> None:
    inner = Wayward([wrong, right])
    reply = await Checked(inner).complete(ModelRequest(ASK, **form))
    assert reply.text == right
    *before, quoted, correction = inner.requests[1].messages
    assert tuple(before) == ASK
    assert (quoted.role, quoted.content) == ("assistant", wrong)
    assert told in correction.content
    assert reply.usage.prompt_tokens == 2 * PROMPT_TOKENS


async def test_a_reply_of_another_form_is_never_passed_on() -> None:
    inner = Wayward(lambda _: Said('{"town": 1}'))
    with pytest.raises(ModelError, match=r"'city' is a required property.*asked for 3 times"):
        await Checked(inner).complete(CALL)
    assert len(inner.requests) == 3


@pytest.mark.parametrize("finish", ["filtered", "cancelled"])
async def test_what_was_stopped_on_purpose_is_not_asked_for_again(finish: str) -> None:
    inner = Wayward([Said("", finish)])
    with pytest.raises(ModelError):
        await Checked(inner).complete(CALL)


async def test_an_engine_that_does_not_answer_is_not_asked_again_here() -> None:
    inner = Wayward([Said(error=EngineUnreachable("nobody there"))])
    with pytest.raises(EngineUnreachable):
        await Checked(inner).complete(CALL)


async def test_bounds_stay_off_the_wire_until_they_are_broken() -> None:
    long = json.dumps({"city": "a" * 41})
    inner = Wayward([long, PARIS])
    reply = await Checked(inner, shape=Shape(longest=0)).complete(ModelRequest(ASK, schema=CITY))
    assert reply.text == PARIS
    first, second = inner.requests
    assert "maxLength" not in json.dumps(first.schema)
    assert first.max_tokens < 256, "what is bounded needs no more room than its bounds"
    assert second.schema == CITY
    assert second.messages == ASK, "the engine holds the bound now, so the model need not be told"


async def test_bounds_that_cost_the_reply_its_room_come_back_with_all_of_it() -> None:
    inner = Wayward([Said('{"city": "aaaaaa', "length"), PARIS])
    await Checked(inner, shape=Shape(longest=0)).complete(ModelRequest(ASK, schema=CITY, max_tokens=2000))
    assert inner.requests[1].schema == CITY
    assert inner.requests[1].max_tokens == 2000


async def test_a_reply_that_ran_away_in_whitespace_is_asked_for_without_any() -> None:
    inner = Wayward([Said('{"city":' + "\n" * 500, "length"), PARIS])
    reply = await Checked(inner, shape=shape_of("vllm")).complete(CALL)
    assert reply.text == PARIS
    assert inner.requests[0].grammar is None
    assert inner.requests[1].schema is None
    assert inner.requests[1].grammar is not None, "a grammar leaves it no place for whitespace"


async def test_where_no_grammar_can_be_sent_the_model_is_asked_for_one_line() -> None:
    inner = Wayward([Said('{"city":' + "\n" * 500, "length"), PARIS])
    await Checked(inner).complete(CALL)
    assert "in one line" in inner.requests[1].messages[-1].content
    assert inner.requests[1].schema == CITY


async def test_whitespace_inside_a_text_is_part_of_it() -> None:
    spaces = json.dumps({"city": " " * 300})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    reply = await Checked(Wayward([spaces])).complete(ModelRequest(ASK, schema=schema))
    assert reply.text == spaces


async def test_all_attempts_have_the_time_of_one_call() -> None:
    class Slow(Wayward):
        async def complete(self, request: ModelRequest) -> ModelReply:
            await asyncio.sleep(0.05)
            return await super().complete(request)

    inner = Slow(lambda _: Said('{"ci', "length"))
    with pytest.raises(EngineTimeout, match="within the 0"):
        await Checked(inner).complete(ModelRequest(ASK, schema=CITY, timeout_s=0.08))
    first, *later = [request.timeout_s for request in inner.requests]
    assert first is not None
    assert first <= 0.08
    assert all(left is not None and left <= 0.03 for left in later)
