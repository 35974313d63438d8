"""What a step gave is what is read back: the same type, the same value, live and resumed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from crewgraph.runtime.context import RunContext
from crewgraph.runtime.events import (
    EVENT,
    Event,
    Noted,
    PlanMade,
    RunFinished,
    StepErred,
    StepFinished,
    StepIntended,
    TaskFinished,
)
from crewgraph.runtime.graph import Task, TaskResult
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.journalling.row import LARGE_BYTES, decode, encode, jsonable, packed, unpacked

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(value=json_values)
def test_every_json_value_survives_the_journal(value: Any) -> None:
    events: list[Event] = [
        StepIntended(at=1.5, task_id="t", name="n", key="k", inputs=value, effect="once"),
        StepFinished(at=1.5, task_id="t", name="n", key="k-1", output=value, tokens=3, tool_calls=1),
        TaskFinished(task_id="t", result=TaskResult(value=value, text="x", evidence=("e",)), key="abc"),
    ]
    for event in events:
        again = decode(encode(1, event))
        assert again == event
        assert EVENT.validate_json(event.model_dump_json()) == event


@given(a=texts, b=texts)
def test_every_text_survives_the_journal(a: str, b: str) -> None:
    task = Task(id="t", description=a, args={"x": b})
    for event in (
        Noted(task_id="", text=a),
        StepErred(task_id="t", name=a, key="k", error=b, code="x"),
        RunFinished(answer=a, evidence=(a, b)),
        PlanMade(tasks=(task,), strategy=a, notes=(b,)),
    ):
        assert decode(encode(1, event)) == event


@given(values=st.lists(json_values, max_size=3), large=st.booleans())
def test_a_row_that_was_packed_is_the_same_row(values: list[Any], large: bool) -> None:
    outputs = [*values, "\0é" + "x" * LARGE_BYTES if large else "\0é", math.nan]
    rows = [
        encode(seq, StepFinished(at=1.1, task_id="ü", name="n", key="k", output=output))
        for seq, output in enumerate(outputs, 1)
    ]
    assert unpacked(packed(rows)) == tuple(rows)


def test_numbers_that_json_does_not_know_survive() -> None:
    event = StepFinished(task_id="", name="n", key="k", output=[math.inf, -math.inf, math.nan])
    read = decode(encode(1, event))
    assert isinstance(read, StepFinished)
    assert isinstance(read.output, list)
    assert read.output[:2] == [math.inf, -math.inf]
    assert math.isnan(read.output[2])  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    usage: Usage = field(default_factory=Usage)
    parts: tuple[str, ...] = ()


class Fact(BaseModel):
    name: str
    weights: tuple[float, ...] = ()
    extra: dict[str, int | None] = {}


CASES = [
    (Reply("hi", Usage(3, 1), ("a", "b")), Reply),
    (Fact(name="x", weights=(1.5,), extra={"a": None}), Fact),
    ([Fact(name="y")], list[Fact]),
    ({1: {"a"}}, dict[int, set[str]]),
    (None, None),
    (b"bytes", bytes),
    ("text", str),
    (3, Reply | int),
]


@pytest.mark.parametrize(("value", "returns"), CASES, ids=repr)
async def test_typed_results_come_back_as_their_type(
    value: Any, returns: Any, effects: Any, new_tape: Any
) -> None:
    tape = new_tape()

    for _ in range(2):
        ctx = RunContext(tape.journal())
        given = await ctx.step("s", effects.giving(value, "called"), inputs={}, returns=returns)
        assert given == value
        assert type(given) is type(value)
    assert effects.calls == ["called"]


async def test_the_live_result_is_already_the_one_a_replay_will_read(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"))
    assert await ctx.step("s", effects.giving({"a": (1, 2)}), inputs=("x", 1)) == {"a": [1, 2]}


async def test_half_a_character_is_kept_as_a_question_mark(effects: Any) -> None:
    ctx = RunContext(Journal("r-test"))
    text = "ok \ud83d"
    assert await ctx.step("s", effects.giving(text), inputs={"x": text}) == "ok ?"
    assert (await ctx.step("r", effects.giving(Reply(text)), inputs=1, returns=Reply)).text == "ok ?"
    assert decode(encode(1, StepFinished(task_id="", name="n", key="k", output=text))).model_dump()[
        "output"
    ] == ("ok ?")
    await ctx.note(text)


async def test_inputs_that_are_not_json_are_refused_before_anything_happens(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    with pytest.raises(TypeError, match="The inputs of step 's' of task 't'"):
        await ctx.step("s", effects.giving(1), inputs={"x": object()})
    assert effects.calls == []


async def test_a_result_of_the_wrong_type_is_refused(effects: Any) -> None:
    ctx = RunContext(Journal("r-test")).for_task("t")
    with pytest.raises(TypeError, match="Step 's' of task 't' gave a str"):
        await ctx.step("s", effects.giving("x"), inputs={}, returns=Reply)


def test_dataclasses_are_json_as_inputs() -> None:
    assert jsonable({"r": Reply("x")}) == {
        "r": {"text": "x", "usage": {"prompt": 0, "cached": 0}, "parts": []}
    }
