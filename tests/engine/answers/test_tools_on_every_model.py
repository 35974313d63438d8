"""Tools can be called on every model: under a schema where its template knows none, natively where it does."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import Message, ModelRequest, ToolCall, ToolChoice, ToolSpec, Usage
from crewgraph.runtime.errors import ContextTooLong, ModelError
from crewgraph.serving.client.answers import Checked
from crewgraph.serving.client.answers.forms.schemas import compiled, value_of
from crewgraph.serving.client.answers.offers import answer, decided, decision
from crewgraph.serving.client.answers.turns import plain

from .wayward import ASK, PROMPT_TOKENS, Said, Wayward, read

WEATHER = ToolSpec(
    "weather",
    "The weather\n  of a city.",
    {
        "properties": {"city": {"$ref": "#/$defs/City"}},
        "required": ["city"],
        "$defs": {"City": {"enum": ["Paris", "Rome"]}},
    },
)
TREE = ToolSpec(
    "plant",
    "Plants a tree.",
    {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "beside": {"$ref": "#"}},
        "required": ["kind"],
        "additionalProperties": False,
    },
)
TOOLS = (WEATHER, TREE)
CALL = ModelRequest((Message("system", "Be brief."), *ASK), tools=TOOLS)
PARIS = '{"tool":"weather","arguments":{"city":"Paris"}}'
ANSWER = '{"tool":"answer"}'


async def test_a_call_is_read_out_of_the_reply() -> None:
    inner = Wayward([PARIS])
    reply = await Checked(inner).complete(CALL)
    (call,) = reply.tool_calls
    assert (call.name, call.arguments) == ("weather", {"city": "Paris"})
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")
    assert inner.requests[0].tools == (), "a model that knows no tools is sent none"


async def test_an_answer_is_written_in_words_and_not_under_a_schema() -> None:
    inner = Wayward([ANSWER, "Paris."])
    reply = await Checked(inner).complete(CALL)
    assert (reply.text, reply.tool_calls, reply.finish_reason) == ("Paris.", (), "stop")
    assert inner.requests[0].schema is not None
    assert not inner.requests[1].constrained
    assert reply.usage == Usage(2 * PROMPT_TOKENS, 6 + 2), "both calls are counted"
    assert inner.requests[0].messages[0] == inner.requests[1].messages[0], "one prefix for both"


async def test_an_answer_is_streamed_and_a_call_comes_whole() -> None:
    pieces, reply = await read(Checked(Wayward([ANSWER, "It is Paris."])), CALL)
    assert "".join(pieces) == reply.text == "It is Paris."
    assert len(pieces) > 3
    assert reply.usage.prompt_tokens == 2 * PROMPT_TOKENS
    pieces, reply = await read(Checked(Wayward([PARIS])), CALL)
    assert pieces == [""]
    assert reply.tool_calls[0].name == "weather"


async def test_who_has_to_call_is_given_no_way_to_answer() -> None:
    inner = Wayward([ANSWER, PARIS])
    required = ModelRequest(ASK, tools=TOOLS, tool_choice="required")
    reply = await Checked(inner).complete(required)
    assert reply.tool_calls
    assert "answer" not in json.dumps(inner.requests[0].schema)
    assert "answer" not in inner.requests[0].messages[0].content


async def test_who_may_not_call_is_asked_for_words_at_once() -> None:
    inner = Wayward(["Paris."])
    reply = await Checked(inner).complete(ModelRequest(ASK, tools=TOOLS, tool_choice="none"))
    assert reply.text == "Paris."


async def test_wrong_arguments_are_asked_for_again_and_never_passed_on() -> None:
    wrong = '{"tool":"weather","arguments":{"city":"Oslo"}}'
    reply = await Checked(Wayward([wrong, PARIS])).complete(CALL)
    assert reply.tool_calls[0].arguments == {"city": "Paris"}
    with pytest.raises(ModelError):
        await Checked(Wayward(lambda _: Said(wrong))).complete(CALL)


async def test_a_call_its_result_and_the_answer_go_round() -> None:
    inner = Wayward([PARIS, ANSWER, "It rains."])
    client = Checked(inner)
    first = await client.complete(CALL)
    (call,) = first.tool_calls
    history = (
        *CALL.messages,
        Message("assistant", "", (call,)),
        Message("tool", "rain, 9 degrees", tool_call_id=call.id),
    )
    second = await client.complete(ModelRequest(history, tools=TOOLS))
    assert second.text == "It rains."
    sent = inner.requests[1].messages
    assert [message.role for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[2].content == PARIS, "told as the model writes it"
    assert sent[3].content == "Result of weather: rain, 9 degrees"
    assert sent[0] == inner.requests[0].messages[0], (
        "the offer is the same bytes, so the engine has read it already"
    )


def test_the_offer_does_not_depend_on_the_order_of_tools_or_of_keys() -> None:
    turned = ToolSpec(WEATHER.name, WEATHER.description, dict(reversed(WEATHER.parameters.items())))
    one = decision(CALL).messages
    assert one == decision(ModelRequest(CALL.messages, tools=(TREE, turned))).messages
    assert one[0].content.startswith("Be brief.\n\nYou can call these tools:\n- plant: Plants a tree.")
    assert "The weather of a city." in one[0].content


def test_a_conversation_without_a_system_message_gets_one() -> None:
    messages = answer(ModelRequest(ASK, tools=TOOLS)).messages
    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].content.startswith(ASK[0].content)


async def test_tool_messages_are_told_in_plain_turns_where_no_tool_is_offered() -> None:
    call = ToolCall("c1", "weather", {"city": "Paris"})
    history = (
        *ASK,
        Message("assistant", "Let me see.", (call, call)),
        Message("tool", "rain", tool_call_id="c1"),
    )
    inner = Wayward(["It rains.", "It rains."])
    await Checked(inner).complete(ModelRequest(history))
    assert [message.role for message in inner.requests[0].messages] == ["user", "assistant", "user"]
    assert inner.requests[0].messages[1].content == f"Let me see.\n{PARIS}\n{PARIS}"
    await Checked(inner, native_tools=True).complete(ModelRequest(history))
    assert inner.requests[1].messages == history


MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant", "tool"]),
        st.text(max_size=5),
        st.lists(st.builds(ToolCall, st.just("c"), st.just("t"), st.just({})), max_size=2).map(tuple),
    ),
    max_size=8,
)


@given(MESSAGES)
def test_plain_turns_lose_no_words_and_nobody_speaks_twice(messages: list[Message]) -> None:
    turns = plain(messages)
    for one, other in pairwise(turns):
        assert one.role != other.role or one.role == "system"
    assert not any(turn.tool_calls or turn.role == "tool" for turn in turns)
    told = "".join(turn.content for turn in turns)
    assert all(message.content in told for message in messages)
    assert plain(turns) == turns


@given(
    st.dictionaries(st.sampled_from(["answer", "answer_", "a.b", "x"]), st.none(), min_size=1).map(list),
    st.sampled_from(["auto", "required"]),
    st.data(),
)
def test_what_the_schema_lets_through_is_read_as_it_was_meant(
    names: list[str], how: ToolChoice, data: Any
) -> None:
    tools = tuple(
        ToolSpec(name, "", {"properties": {"n": {"type": "integer"}}, "required": ["n"]}) for name in names
    )
    request = ModelRequest(ASK, tools=tools, tool_choice=how)
    schema = decision(request).schema
    assert schema is not None
    valid = compiled(schema)
    name = data.draw(st.sampled_from(names))
    wanted = {"tool": name, "arguments": {"n": 3}}
    assert valid.is_valid(wanted)
    assert not valid.is_valid({"tool": name, "arguments": {"n": "3"}})
    assert not valid.is_valid({"tool": "nobody", "arguments": {"n": 3}})
    call = decided(request, value_of(json.dumps(wanted)))
    assert call is not None
    assert (call.name, call.arguments) == (name, {"n": 3})
    words = [word for word in ("answer", "answer_", "answer__") if valid.is_valid({"tool": word})]
    assert len(words) == (how == "auto")
    assert all(decided(request, {"tool": word}) is None for word in words)


def test_an_id_is_the_same_for_the_same_call_at_the_same_place() -> None:
    def told(arguments: dict[str, Any], request: ModelRequest = CALL) -> str:
        call = decided(request, {"tool": "plant", "arguments": arguments})
        assert call is not None
        return call.id

    later = ModelRequest((*CALL.messages, Message("user", "Another one.")), tools=TOOLS)
    assert told({"kind": "oak", "beside": {"kind": "elm"}}) == told(
        {"beside": {"kind": "elm"}, "kind": "oak"}
    )
    assert len({told({"kind": "oak"}), told({"kind": "elm"}), told({"kind": "oak"}, later)}) == 3


def test_a_schema_that_refers_to_itself_still_does_inside_the_offer() -> None:
    schema = decision(CALL).schema
    assert schema is not None
    valid = compiled(schema)
    assert valid.is_valid({"tool": "plant", "arguments": {"kind": "oak", "beside": {"kind": "elm"}}})
    assert not valid.is_valid({"tool": "plant", "arguments": {"kind": "oak", "beside": {"kind": 1}}})


GOOD = ToolCall("n1", "weather", {"city": "Paris"})
BAD = ToolCall("n2", "weather", {"city": "Oslo"})


async def test_native_calls_pass_as_they_are() -> None:
    inner = Wayward([Said("", "tool_calls", (GOOD,))])
    reply = await Checked(inner, native_tools=True).complete(CALL)
    assert reply.tool_calls == (GOOD,)
    assert inner.requests == [CALL]


@pytest.mark.parametrize(
    "first",
    [
        Said("", "tool_calls", (GOOD, BAD)),
        Said("", "tool_calls", (ToolCall("n", "nobody", {}),)),
        Said(error=ModelError("the arguments are no JSON")),
    ],
)
async def test_a_native_call_that_cannot_be_made_is_asked_for_under_a_schema(first: Said) -> None:
    reply = await Checked(Wayward([first, PARIS]), native_tools=True).complete(CALL)
    assert [call.arguments for call in reply.tool_calls] == [{"city": "Paris"}]
    assert reply.usage.prompt_tokens == PROMPT_TOKENS * (1 if first.error else 2)
    _, streamed = await read(Checked(Wayward([first, PARIS]), native_tools=True), CALL)
    assert streamed.tool_calls == reply.tool_calls


async def test_a_native_reply_without_the_call_that_is_required_is_asked_for_under_a_schema() -> None:
    required = ModelRequest(ASK, tools=TOOLS, tool_choice="required")
    reply = await Checked(Wayward(["I would rather talk.", PARIS]), native_tools=True).complete(required)
    assert reply.tool_calls


async def test_words_before_a_native_call_that_cannot_be_made_are_kept() -> None:
    inner = Wayward([Said("Let me see.", "tool_calls", (BAD,)), PARIS])
    pieces, reply = await read(Checked(inner, native_tools=True), CALL)
    assert "".join(pieces) == reply.text == "Let me see."
    assert reply.tool_calls[0].arguments == {"city": "Paris"}


async def test_a_conversation_that_is_too_long_is_so_either_way() -> None:
    inner = Wayward([Said(error=ContextTooLong("too long", 5))])
    with pytest.raises(ContextTooLong):
        await Checked(inner, native_tools=True).complete(CALL)
