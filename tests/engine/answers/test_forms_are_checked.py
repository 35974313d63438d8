"""A request whose form no engine could follow is refused before it is sent; a reply of another form is named."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from crewgraph.agents.model import ModelReply, ModelRequest, ToolCall, ToolSpec
from crewgraph.runtime.errors import InvalidSchema
from crewgraph.serving.client.answers import Checked, Forms
from crewgraph.serving.client.answers.forms.checks import MAX_KEPT
from crewgraph.serving.client.answers.forms.grammars import literal, parsed
from crewgraph.serving.client.answers.forms.schemas import compiled

from .wayward import ASK, Wayward

PLAN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}, "minItems": 1, "maxItems": 2},
        "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["tasks"],
    "additionalProperties": False,
    "$defs": {
        "task": {
            "type": "object",
            "properties": {"agent": {"enum": ["a", "b", 1]}, "cost": {"type": "integer", "maximum": 5}},
            "required": ["agent"],
        }
    },
}
ONE = [{"agent": "a"}]


def fault(text: str, **form: Any) -> str | None:
    return Forms().fault(ModelRequest(ASK, **form), text)


@pytest.mark.parametrize(
    "value",
    [
        {"tasks": ONE},
        {"tasks": [{"agent": 1, "cost": 5.0, "more": [1]}], "note": None},
        {"tasks": [{"agent": "b"}, {"agent": "a"}], "note": "abc", "day": "2026-01-31"},
    ],
)
def test_what_keeps_the_schema_passes(value: Any) -> None:
    assert fault(json.dumps(value), schema=PLAN) is None


@pytest.mark.parametrize(
    ("value", "at", "said"),
    [
        ([], "reply:", "'object'"),
        ({}, "reply:", "'tasks' is a required property"),
        ({"tasks": []}, "reply.tasks:", "[]"),
        ({"tasks": ONE * 3}, "reply.tasks:", "too long"),
        ({"tasks": [{"agent": "c"}]}, "reply.tasks[0].agent:", "'c' is not one of"),
        ({"tasks": [{"agent": True}]}, "reply.tasks[0].agent:", "True is not one of"),
        ({"tasks": [{"agent": "a", "cost": 1.5}]}, "reply.tasks[0].cost:", "'integer'"),
        ({"tasks": [{"agent": "a", "cost": True}]}, "reply.tasks[0].cost:", "'integer'"),
        ({"tasks": [{"agent": "a", "cost": 6}]}, "reply.tasks[0].cost:", "maximum of 5"),
        ({"tasks": ONE, "note": "abcd"}, "reply.note:", "'abcd' is too long"),
        ({"tasks": ONE, "day": "2026-02-30"}, "reply.day:", "'date'"),
        ({"tasks": ONE, "other": 1}, "reply:", "'other' was unexpected"),
    ],
)
def test_what_breaks_the_schema_is_named_with_its_place(value: Any, at: str, said: str) -> None:
    found = fault(json.dumps(value), schema=PLAN)
    assert found is not None
    assert found.startswith(at)
    assert said in found


_WORDS = "type properties items anyOf pattern patternProperties minLength $ref $defs enum required a".split()
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from(["string", "object", "[", "#/$defs/a", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=4))
def test_what_the_quick_look_passes_is_a_schema(schema: dict[str, Any]) -> None:
    try:
        compiled(schema)
    except InvalidSchema:
        return
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": NaN}', "1e999", "Infinity", '{"a":1} and so on', "[" * 100_000]
)
def test_what_is_no_json_never_passes(text: str) -> None:
    assert fault(text, schema={}) is not None


def test_a_fault_is_short_however_long_the_reply() -> None:
    found = fault(json.dumps("x" * 100_000), schema={"type": "integer"})
    assert found is not None
    assert len(found) < 250


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "wrong at #/type: 'objekt'"),
        ({"properties": {"a": {"type": "string", "pattern": "("}}}, "wrong at #/properties/a/pattern"),
        ({"properties": {"a/b": {"minimum": "x"}}}, "wrong at #/properties/a~1b/minimum"),
        ({"$ref": "https://example.com/schema"}, "lies outside it; put it under $defs"),
        ({"items": {"$ref": "#/$defs/a"}}, "refers to '#/$defs/a' at #/items, and it has no such part"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "refers only to itself"),
        ({"items": {"$dynamicRef": "#x"}}, "$dynamicRef at #/items"),
        ({"items": {"$id": "other"}}, "an $id inside it, at #/items"),
        ({"enum": [float("nan")]}, "not plain JSON"),
        ({"default": object()}, "not plain JSON"),
        ({"$schema": "urn:x", "type": 5}, "wrong at #/type"),
        ([], "not an object"),
    ],
)
async def test_a_schema_that_no_engine_could_follow_is_refused_unsent(schema: Any, said: str) -> None:
    inner = Wayward([])
    with pytest.raises(InvalidSchema) as refused:
        await Checked(inner).complete(ModelRequest(ASK, schema=schema))
    assert said in str(refused.value)
    with pytest.raises(InvalidSchema):
        await anext(Checked(inner).stream(ModelRequest(ASK, schema=schema)))
    assert inner.requests == []


def test_a_reference_among_data_is_data() -> None:
    Forms().check(ModelRequest(ASK, schema={"const": {"$ref": "https://example.com"}}))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"regex": "a("}, "at character 2"),
        ({"regex": "(?=a)b"}, "a look ahead at character 1"),
        ({"regex": r"(a)\1"}, "a reference to a group at character 4"),
        ({"grammar": "root ::= word"}, "rule root uses word"),
        ({"grammar": 'rot ::= "a"'}, "no rule named root"),
        ({"grammar": 'root ::= "a"\nroot ::= "b"'}, "line 2: root is defined twice"),
        ({"grammar": 'root ::= "a"\n\nb ::= ("c"'}, "line 3: a bracket is opened"),
        ({"grammar": 'root ::= "a'}, "a text is opened"),
        ({"choices": ("a", "")}, "at least one character"),
        ({"schema": {}, "choices": ("a",)}, "by schema and choices"),
        ({"regex": "a", "grammar": 'root ::= "a"'}, "by regex and grammar"),
        ({"schema": {}, "tools": (ToolSpec("a", "", {}),)}, "by schema and tools"),
        ({"tools": (ToolSpec("a b", "", {}),)}, "'a b' is no name"),
        ({"tools": (ToolSpec("a", "", {}), ToolSpec("a", "", {}))}, "Two tools are named 'a'"),
        ({"tools": (ToolSpec("a", "", {"type": "string"}),)}, "must be of type object"),
        ({"tools": (ToolSpec("a", "", {"type": 1}),)}, "The schema of the tool a is wrong at #/type"),
    ],
)
def test_any_other_form_is_refused_with_what_is_wrong_and_where(form: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSchema) as refused:
        Forms().check(ModelRequest(ASK, **form))
    assert said in str(refused.value)


def test_what_only_looks_like_a_look_ahead_is_sent() -> None:
    Forms().check(ModelRequest(ASK, regex=r"[(?=]\\1\(?=a"))


def test_regexes_choices_and_grammars_hold_for_the_whole_reply() -> None:
    assert fault("abc", regex="[a-c]+") is None
    assert fault("abcd", regex="[a-c]+") is not None
    assert fault("a", choices=("a", "b")) is None
    assert fault("a ", choices=("a", "b")) is not None
    assert fault("ab", grammar='root ::= "a" b\nb ::= "b"') is None
    assert fault("abb", grammar='root ::= "a" b\nb ::= "b"') is not None


def test_a_grammar_that_recurs_is_left_to_the_engine() -> None:
    assert fault("anything", grammar='root ::= "(" root ")" | "x"') is None


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.text())
def test_a_grammar_of_texts_accepts_these_and_no_others(texts: list[str], other: str) -> None:
    grammar = parsed("root ::= " + " | ".join(literal(text) for text in texts))
    same = grammar.regex()
    assert same is not None
    assert all(same.fullmatch(text) for text in texts)
    assert bool(same.fullmatch(other)) == (other in texts)


@pytest.mark.parametrize(
    ("grammar", "regex"),
    [
        ('root ::= [a-z]+ " " [0-9]{2,3}  # a comment\n', r"[a-z]+ [0-9]{2,3}"),
        ('root ::= "a"\n  | "b" c*\nc ::= (\n "x" |\n "y"\n)', "a|b[xy]*"),
        (r'root ::= [^"\\\x41\u0042] "\x43"? "\n"', '[^"\\\\\\x41B]C?\n'),
        ("root ::= [a\\]^&~|\\[-]{2} .", r"[a\]^&~|\[-]{2}[\s\S]"),
    ],
)
@given(data=st.data())
def test_a_grammar_is_read_as_it_is_meant(grammar: str, regex: str, data: st.DataObject) -> None:
    same = parsed(grammar).regex()
    assert same is not None
    assert same.fullmatch(data.draw(st.from_regex(regex, fullmatch=True)))
    text = data.draw(st.text(alphabet='abcxy]^&~|[-"\\ABC12 \n', max_size=6))
    assert bool(same.fullmatch(text)) == bool(re.fullmatch(regex, text))


@given(st.text(alphabet='abr ot:=|()[]{}*+?"\\#\n^-.,01', max_size=40))
def test_any_text_is_a_grammar_or_is_refused(text: str) -> None:
    try:
        grammar = parsed("root ::= " + text)
    except InvalidSchema as error:
        assert "grammar" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        grammar.regex()


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ({"schema": {"type": "integer"}}, "12", "its last number may not be whole"),
        ({"schema": {"type": "boolean"}}, "true", None),
        ({"schema": {"type": "object"}}, "{}", None),
        ({"schema": {"type": "object"}}, '{"a', "not valid JSON"),
        ({"choices": ("a", "ab")}, "a", "beginning of a longer choice"),
        ({"choices": ("a", "ab")}, "ab", None),
        ({"choices": ("a", "ab")}, "b", "not one of the choices"),
        ({"regex": "[0-9]+"}, "12", "ran out of tokens"),
        ({"grammar": "root ::= [0-9]+"}, "12", "ran out of tokens"),
    ],
)
def test_a_reply_that_may_go_on_is_not_taken_for_a_whole_one(form: Any, text: str, why: str | None) -> None:
    request = ModelRequest(ASK, **form)
    found = Forms().cut_off(request, ModelReply(text, "length"))
    assert (found is None) == (why is None)
    assert why is None or (found is not None and why in found)
    assert Forms().cut_off(request, ModelReply(text, "stop")) is None


def test_a_call_is_held_against_its_tool() -> None:
    tools = (ToolSpec("add", "", {"properties": {"a": {"type": "integer"}}, "required": ["a"]}),)
    assert Forms().call_fault(tools, ToolCall("1", "add", {"a": 1})) is None
    wrong = Forms().call_fault(tools, ToolCall("1", "add", {"a": "1"}))
    assert wrong is not None
    assert wrong.startswith("add's arguments.a:")
    assert Forms().call_fault(tools, ToolCall("1", "sub", {})) == "there is no tool 'sub'"


def test_what_is_kept_of_forms_is_bounded() -> None:
    forms = Forms()
    for number in range(MAX_KEPT + 50):
        forms.check(ModelRequest(ASK, schema={"const": number}))
    assert len(forms._kept) == MAX_KEPT
    assert forms.fault(ModelRequest(ASK, schema={"const": 0}), "0") is None
