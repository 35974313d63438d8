"""A schema goes over the wire in another shape, and accepts what it accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crewgraph.serving.client.answers import PLAIN, SHAPES, Shape, fast_shape, shape_of
from crewgraph.serving.client.answers.forms.grammars import parsed
from crewgraph.serving.client.answers.forms.schemas import compiled, subschemas
from crewgraph.serving.client.answers.shapes.compact import compact_grammar
from crewgraph.serving.client.answers.shapes.shape import longest_text

EXACT = Shape(inline=True, remarks=False)
LOOSE = Shape(inline=True, remarks=False, longest=0)
NAMES = ("a", "b", "title", "$ref")
TEXTS = st.text(alphabet='ab"é\n', max_size=5)
LEAVES = st.one_of(
    st.sampled_from(
        [{"type": "null"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}, True, {}]
    ),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-3, 3),
        st.integers(0, 3),
    ),
    st.builds(lambda most: {"type": "string", "maxLength": most, "description": "d"}, st.integers(0, 4)),
    st.builds(lambda low: {"type": ["string", "null"], "minLength": low, "title": "T"}, st.integers(0, 2)),
    st.builds(
        lambda values: {"enum": values},
        st.lists(st.one_of(TEXTS, st.integers(0, 2), st.booleans()), min_size=1, max_size=3),
    ),
    st.builds(
        lambda name: {"$ref": f"#/$defs/{name}", "description": "see there"},
        st.sampled_from(["one", "two", "tree"]),
    ),
)


def _objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def build(properties: dict[str, Any], needed: set[str], others: Any) -> dict[str, Any]:
        made = {"type": "object", "properties": properties, "required": sorted(needed & properties.keys())}
        return made if others is None else {**made, "additionalProperties": others}

    return st.builds(
        build,
        st.dictionaries(st.sampled_from(NAMES), parts, max_size=3),
        st.sets(st.sampled_from(NAMES)),
        st.sampled_from([None, False, True]),
    )


def _parts(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    counts = st.sampled_from([{}, {"minItems": 1}, {"maxItems": 2}, {"minItems": 1, "maxItems": 1}])
    return st.one_of(
        _objects(parts),
        st.builds(lambda part, count: {"type": "array", "items": part, **count}, parts, counts),
        st.builds(lambda some: {"anyOf": some}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda some: {"oneOf": some}, st.lists(parts, min_size=1, max_size=2)),
        st.builds(lambda part: {"not": part}, parts),
    )


BODIES = st.recursive(LEAVES, _parts, max_leaves=6)
TREE = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 3}, "next": {"$ref": "#/$defs/tree"}},
    "additionalProperties": False,
}


def _whole(body: Any, one: Any, two: dict[str, Any]) -> dict[str, Any]:
    body = body if isinstance(body, dict) else {"anyOf": [body]}
    return {**body, "$defs": {"one": one, "two": two, "tree": TREE}}


PLAIN_LEAVES = st.sampled_from(
    [{"type": "boolean"}, {"type": "string", "maxLength": 2, "title": "T"}, {"type": "integer", "maximum": 1}]
)
SCHEMAS = st.builds(
    _whole,
    BODIES,
    PLAIN_LEAVES,
    st.builds(
        lambda of: {"type": "array", "items": of},
        st.sampled_from([{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/tree"}]),
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-4, 6), TEXTS),
    lambda some: st.one_of(
        st.lists(some, max_size=3),
        st.dictionaries(st.sampled_from((*NAMES, "word", "next")), some, max_size=3),
    ),
    max_leaves=6,
)

SHORT = st.builds(lambda most: {"type": "string", "maxLength": most}, st.integers(0, 4))
OF_TEXTS = st.one_of(
    st.builds(lambda part: {"type": "array", "items": part}, SHORT),
    st.builds(lambda part, other: {"properties": {"a": part}, "additionalProperties": other}, SHORT, SHORT),
    st.builds(lambda part, other: {"anyOf": [part, {"allOf": [other, {"minLength": 2}]}]}, SHORT, SHORT),
)
TEXTS_IN = st.one_of(
    TEXTS, st.lists(TEXTS, max_size=2), st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=2)
)
CASES = st.one_of(
    st.tuples(SCHEMAS, st.lists(VALUES, min_size=1, max_size=8)),
    st.tuples(OF_TEXTS, st.lists(TEXTS_IN, min_size=1, max_size=8)),
)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _strings(part)]


@given(CASES)
@settings(max_examples=200, deadline=None)
def test_with_all_bounds_on_the_wire_exactly_the_same_is_accepted(case: tuple[Any, list[Any]]) -> None:
    schema, values = case
    ours, shaped = compiled(schema), compiled(fast_shape(schema, EXACT))
    for value in values:
        assert ours.is_valid(value) == shaped.is_valid(value), (value, shaped.schema)


@given(CASES)
@settings(max_examples=200, deadline=None)
def test_without_them_nothing_right_is_lost_and_only_length_is_left_to_check(
    case: tuple[Any, list[Any]],
) -> None:
    schema, values = case
    ours, shaped = compiled(schema), compiled(fast_shape(schema, LOOSE))
    bounds = [part["maxLength"] for _, part in subschemas(schema) if "maxLength" in part]
    for value in values:
        if ours.is_valid(value):
            assert shaped.is_valid(value), (value, shaped.schema)
        elif shaped.is_valid(value):
            assert max(map(len, _strings(value)), default=0) > min(bounds), (value, shaped.schema)


@given(SCHEMAS)
@settings(max_examples=200, deadline=None)
def test_a_shape_is_a_schema_without_references_that_could_be_written_out(schema: Any) -> None:
    before = json.dumps(schema)
    shaped = fast_shape(schema, EXACT)
    assert json.dumps(schema) == before, "the caller's schema stays as it is"
    assert {part["$ref"] for _, part in subschemas(shaped) if "$ref" in part} <= {"#/$defs/tree"}
    assert not any({"title", "description"} & part.keys() for _, part in subschemas(shaped))


@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_grammar_without_whitespace_writes_what_the_schema_accepts(schema: Any, values: list[Any]) -> None:
    grammar = compact_grammar(fast_shape(schema, EXACT))
    assume(grammar is not None)
    assert grammar is not None
    same = parsed(grammar).regex()
    assume(same is not None)
    assert same is not None
    assume(
        not any("oneOf" in part for _, part in subschemas(schema))
    )  # that only one fits is checked afterwards
    ours = compiled(schema)
    for value in values:
        if same.fullmatch(_compact(value)):
            assert ours.is_valid(value), (value, grammar)


FLAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"enum": ["x", 'y"\\']},
        "n": {"type": "integer", "minimum": 1, "maximum": 3},
        "s": {"type": "string", "maxLength": 4},
        "l": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2},
        "d": {"type": "string", "format": "date"},
        "o": {
            "anyOf": [{"type": "null"}, {"type": "object", "properties": {}, "additionalProperties": False}]
        },
    },
    "required": ["n", "l"],
}


@given(
    st.fixed_dictionaries(
        {"n": st.integers(0, 4), "l": st.lists(st.booleans(), max_size=3)},
        optional={
            "a": st.sampled_from(["x", 'y"\\', "z"]),
            "s": TEXTS,
            "d": st.sampled_from(["2026-01-31", "2026-1-31", "today"]),
            "o": st.sampled_from([None, {}, {"p": 1}]),
        },
    )
)
def test_a_grammar_writes_every_value_of_a_schema_in_its_order(value: dict[str, Any]) -> None:
    grammar = compact_grammar(FLAT)
    assert grammar is not None
    same = parsed(grammar).regex()
    assert same is not None
    ordered = {name: value[name] for name in FLAT["properties"] if name in value}
    assert bool(same.fullmatch(_compact(ordered))) == compiled(FLAT).is_valid(value)


def test_what_a_grammar_cannot_say_stays_a_schema() -> None:
    for body in (
        {"type": "string", "pattern": "^a"},
        {"type": "number", "multipleOf": 0.5},
        {"type": "integer", "minimum": 5},
        {"not": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"type": "object", "minProperties": 1},
    ):
        assert compact_grammar({"type": "array", "items": body}) is None, body


def test_what_is_looser_elsewhere_is_not_loosened_under_a_denial() -> None:
    text = {"type": "string", "maxLength": 2}
    for schema in ({"not": text}, {"oneOf": [text, {"const": "abc"}]}, {"type": "array", "contains": text}):
        assert fast_shape(schema, LOOSE) == schema
    assert fast_shape({"items": text}, LOOSE) == {"items": {"type": "string"}}


def test_references_that_would_grow_beyond_measure_stay() -> None:
    definitions: dict[str, Any] = {"d0": {"type": "boolean"}}
    for number in range(1, 30):
        definitions[f"d{number}"] = {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/d{number - 1}"} for side in ("left", "right")},
        }
    shaped = fast_shape({"$ref": "#/$defs/d29", "$defs": definitions}, EXACT)
    assert len(json.dumps(shaped)) < 2 * len(json.dumps(definitions))
    assert compiled(shaped).is_valid({"left": {}})
    assert not compiled(shaped).is_valid({"left": 1})


def test_older_drafts_and_engines_of_which_nothing_is_known_get_the_schema_as_it_is() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": {"$ref": "#/a", "type": "null"},
        "a": {},
    }
    assert fast_shape(old, EXACT) is old
    assert fast_shape(FLAT, PLAIN) is FLAT
    assert shape_of("openai") == shape_of(None) == PLAIN


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_pydantic_models_keep_their_meaning_on_every_engine(kind: str) -> None:
    from pydantic import BaseModel, Field

    class Step(BaseModel):
        """One step."""

        tool: str = Field(max_length=20, description="its name")
        after: list[int] = []

    class Plan(BaseModel):
        steps: list[Step] = Field(min_length=1, max_length=4)
        note: str | None = None

    schema = Plan.model_json_schema()
    shaped = fast_shape(schema, shape_of(kind))
    assert "$ref" not in json.dumps(shaped)
    assert "note" not in shaped.get("required", []), "what may be left out still may"
    assert compiled(shaped).is_valid(Plan(steps=[Step(tool="x")]).model_dump())
    assert not compiled(shaped).is_valid({"steps": []})
    assert compact_grammar(shaped) is not None


def test_how_long_a_reply_can_get_is_known_where_everything_is_bounded() -> None:
    bounded = {
        "type": "object",
        "properties": {"a": {"enum": ["xyz", "x"]}, "b": {"type": "string", "maxLength": 9}},
    }
    longest = longest_text(bounded)
    assert longest is not None
    assert longest >= len('{"a":"xyz","b":"123456789"}')
    assert longest_text({"type": "string"}) is None
    assert longest_text({"type": "array", "items": {"type": "null"}}) is None
    assert longest_text({"$ref": "#/$defs/tree", "$defs": {"tree": TREE}}) is None


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
