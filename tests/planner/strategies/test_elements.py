"""A plan is read while it is written: each task once, whole, in order, however the text is cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crewgraph.planner.strategies.written.elements import Elements

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def pieces(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[one:other] for one, other in pairwise(ends)]


@given(
    st.dictionaries(st.text(), JSON, max_size=3),
    st.lists(JSON, max_size=5),
    st.dictionaries(st.text(), JSON, max_size=3),
    st.sampled_from([None, 1]),
    st.lists(st.integers(0, 2000), max_size=8),
    st.booleans(),
)
def test_every_entry_is_found_wherever_the_text_is_cut(
    before: dict[str, Any],
    tasks: list[Any],
    after: dict[str, Any],
    indent: int | None,
    cuts: list[int],
    ascii_only: bool,
) -> None:
    rest = {name: value for name, value in after.items() if name != "tasks" and name not in before}
    whole = {**{n: v for n, v in before.items() if n != "tasks"}, "tasks": tasks, **rest}
    read = Elements()
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only)
    assert [entry for piece in pieces(text, cuts) for entry in read.feed(piece)] == tasks
    assert read.over


def test_an_object_is_given_with_its_last_brace() -> None:
    read = Elements()
    assert read.feed('{"tasks":[{"tool":"a"') == []
    assert read.feed("}") == [{"tool": "a"}]
    assert not read.over


def test_what_is_no_json_gives_nothing() -> None:
    for text in (
        "I cannot plan.",
        '{"tasks":"none"}',
        '{"a":{"tasks":[1]}}',
        '["tasks",[1]]',
        '{"tasks":[oops]}',
    ):
        assert Elements().feed(text) == []
