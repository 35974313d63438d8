"""Two requests share a key exactly when the reply to one is the reply to the other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crewgraph.agents.model import Hints, Message, ModelRequest, ToolCall, ToolSpec
from crewgraph.serving.client.caching.keys import determined, exact_key, place_key

texts = st.text(max_size=12)
objects = st.dictionaries(texts, st.integers() | texts | st.lists(st.booleans(), max_size=2), max_size=3)
calls = st.builds(ToolCall, texts, texts, objects)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    texts,
    st.lists(calls, max_size=2).map(tuple),
    texts,
)
hints = st.builds(Hints, texts, st.integers(), st.none() | st.integers(1, 99))
requests = st.builds(
    ModelRequest,
    st.lists(messages, min_size=1, max_size=3).map(tuple),
    model=st.none() | texts,
    max_tokens=st.integers(1, 999),
    temperature=st.floats(0, 2),
    seed=st.none() | st.integers(),
    stop=st.lists(texts, max_size=2).map(tuple),
    schema=st.none() | objects,
    choices=st.lists(texts, max_size=2).map(tuple),
    top_p=st.floats(0, 1),
    regex=st.none() | texts,
    grammar=st.none() | texts,
    tools=st.lists(st.builds(ToolSpec, texts, texts, objects), max_size=2).map(tuple),
    tool_choice=st.sampled_from(["auto", "required", "none"]),
    adapter=st.none() | texts,
    timeout_s=st.none() | st.floats(0.1, 99),
    hints=st.none() | hints,
)


def written(request: ModelRequest) -> str:
    """A request's identity with the order in which its objects are written: an engine sees that, too."""
    return json.dumps(request.identity())


@given(requests, requests)
def test_equal_identities_have_equal_keys_and_others_do_not(one: ModelRequest, other: ModelRequest) -> None:
    other = replace(other, model=one.model)
    assert (exact_key(one, model="m") == exact_key(other, model="m")) == (written(one) == written(other))
    again = replace(one, messages=tuple(replace(message) for message in one.messages))
    assert exact_key(one, model="m") == exact_key(again, model="m")


@given(requests, hints, st.floats(0.1, 99))
def test_hints_and_time_never_matter(request: ModelRequest, other: Hints, seconds: float) -> None:
    changed = replace(request, hints=other, timeout_s=seconds)
    assert exact_key(request, model="m") == exact_key(changed, model="m")
    assert place_key(request, model="m") == place_key(changed, model="m")


@given(requests, texts, texts)
def test_tenants_models_and_spaces_are_apart(request: ModelRequest, one: str, other: str) -> None:
    for make in (exact_key, place_key):
        mine = replace(request, hints=Hints(tenant=one))
        theirs = replace(request, hints=Hints(tenant=other))
        assert (make(mine, model="m") == make(theirs, model="m")) == (one == other)
        assert (make(request, model=one) == make(request, model=other)) == (one == other)
        assert (make(request, model="m", space=one) == make(request, model="m", space=other)) == (
            one == other
        )


CHANGES: tuple[dict[str, Any], ...] = (
    {"messages": (Message("user", "What?"), Message("user", "Where?"))},
    {"messages": (Message("system", "Where?"),)},
    {"messages": (Message("user", "Where ?"),)},
    {"max_tokens": 257},
    {"temperature": 0.1},
    {"seed": None},
    {"seed": 1},
    {"stop": ("\n",)},
    {"schema": {"type": "object"}},
    {"choices": ("a", "b")},
    {"choices": ("b", "a")},
    {"top_p": 0.9},
    {"regex": "a+"},
    {"grammar": "a+"},
    {"tools": (ToolSpec("f", "", {}),)},
    {"tool_choice": "none"},
    {"adapter": "role"},
    {"continue_last": True},
    {"schema": {"properties": {"a": {}, "b": {}}}},
    {"schema": {"properties": {"b": {}, "a": {}}}},
)


def test_anything_that_the_reply_depends_on_matters() -> None:
    plain = ModelRequest((Message("user", "Where?"),))
    keys = [exact_key(replace(plain, **change), model="m") for change in ({}, *CHANGES)]
    assert len(set(keys)) == len(keys)


def test_the_model_that_serves_counts_whether_or_not_it_is_named() -> None:
    plain = ModelRequest((Message("user", "Where?"),))
    assert exact_key(plain, model="m") == exact_key(replace(plain, model="m"), model="m")
    assert exact_key(replace(plain, temperature=0), model="m") == exact_key(plain, model="m")


def test_a_place_is_all_but_the_words_of_the_last_message() -> None:
    def place(*texts: str, **more: Any) -> str:
        return place_key(ModelRequest(tuple(Message("user", text) for text in texts), **more), model="m")

    assert place("Which rivers flow through Paris?") == place("What rivers run through Paris?")
    assert place("Find it. Where is Paris?") == place("Where's Paris?")
    assert place("before", "Which?") != place("Which?")
    assert place("Which?", max_tokens=3) != place("Which?")
    for one, other in (
        ("Add 17 and 3", "Add 18 and 3"),
        ("Which planets have rings?", "Which planets have no rings?"),
        ("Is it safe?", "Isn't it safe?"),
        ("她去过北京", "她没去过北京"),
        ("Is 1.5 enough?", "Is 15 enough?"),
        ("Is Alice older than Bob?", "Is Bob older than Alice?"),
        ("Where is Niger?", "Where is Nigeria?"),
    ):
        assert place(one) != place(other)


@given(requests)
def test_only_what_is_drawn_without_a_seed_is_not_determined(request: ModelRequest) -> None:
    assert determined(request) == (request.temperature == 0 or request.seed is not None)
