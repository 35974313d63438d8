"""An agent with an `output_type` gives that type, or says after one more try why it cannot."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from crewgraph import Agent, Crew, ModelRequest, Task, TaskGraph, TaskResult
from crewgraph.agents.testing import ScriptedModel
from crewgraph.agents.worker import CrewWorker
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import ModelError


class Quote(BaseModel):
    """What it costs."""

    item: str
    euros: float = Field(gt=0)


GOOD, BAD = '{"item": "pen", "euros": 12.5}', '{"item": "pen", "euros": -1}'
AGENT = Agent("clerk", "Quote prices.", output_type=Quote, max_tokens=50, model="small")
TASK = Task(id="t", description="Quote the pen.", agent="clerk")


async def fill(model: ScriptedModel, ctx: RunContext) -> TaskResult:
    worker = CrewWorker(Crew([AGENT]), TaskGraph([TASK]), model, "What does a pen cost?", "en")
    return await worker(TASK, ctx)


async def test_the_model_is_bound_to_the_types_schema(ctx: RunContext) -> None:
    model = ScriptedModel([GOOD])
    result = await fill(model, ctx)
    assert result.value == {"item": "pen", "euros": 12.5}
    assert json.loads(result.text) == result.value
    (request,) = model.requests
    assert request.schema == Quote.model_json_schema()
    assert (request.max_tokens, request.model) == (50, "small")
    assert request.messages[0].content.startswith("You are the clerk.")
    assert "What does a pen cost?" in request.messages[1].content


async def test_what_does_not_fit_comes_back_once_with_what_is_wrong(
    ctx: RunContext, heard: list[object]
) -> None:
    model = ScriptedModel([BAD, GOOD])
    assert (await fill(model, ctx)).value == {"item": "pen", "euros": 12.5}
    assert model.requests[1].messages[-2].content == BAD
    assert (
        "That does not fit: euros: Input should be greater than 0" in model.requests[1].messages[-1].content
    )
    assert any("The output did not fit Quote" in note for note in heard.notes)  # type: ignore[attr-defined]  # the fixture has no class of its own to name


async def test_a_second_failure_ends_the_task_in_a_clear_sentence(ctx: RunContext) -> None:
    model = ScriptedModel([BAD, '{"item": "pen"}'])
    with pytest.raises(
        ModelError, match=r"clerk: the model could not fill Quote in 2 attempts \(euros: Field required\)"
    ) as error:
        await fill(model, ctx)
    assert len(model.requests) == 2
    assert str(error.value).endswith("""The last one was: '{"item": "pen"}'.""")


async def test_a_long_attempt_is_shown_by_its_beginning(ctx: RunContext) -> None:
    model = ScriptedModel(lambda _: json.dumps({"item": "pen " * 1000}))
    with pytest.raises(ModelError) as error:
        await fill(model, ctx)
    assert "pen pen" in str(error.value)
    assert len(str(error.value)) < 700


class Colour(StrEnum):
    """What it looks like."""

    blue = "blue"
    green = "green"


class Card(BaseModel):
    """Paid by card."""

    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    """Paid in cash."""

    kind: Literal["cash"]


class Order(BaseModel):
    """Nested, with a union, an enum, something optional and a list."""

    quote: Quote
    colour: Colour
    paid: Card | Cash = Field(discriminator="kind")
    note: str | None = None
    before: list[Quote] = []


ORDER = {
    "quote": {"item": "pen", "euros": 12.5},
    "colour": "green",
    "paid": {"kind": "card", "number": "4711"},
    "note": None,
    "before": [{"item": "ink", "euros": 6.0}],
}
WRONG = ORDER | {"colour": "red", "paid": {"kind": "card"}}


@pytest.mark.parametrize("architecture", [None, "direct"])
async def test_any_pydantic_model_may_be_the_type(ctx: RunContext, architecture: str | None) -> None:
    agent = Agent("clerk", "Take orders.", output_type=Order, architecture=architecture)

    def reply(request: ModelRequest) -> str:
        if request.schema is None:
            return "Answer: a green pen, by card"
        assert request.schema == Order.model_json_schema()
        corrected = "That does not fit" in request.messages[-1].content
        return json.dumps(ORDER if corrected else WRONG)

    worker = CrewWorker(
        Crew([agent]), TaskGraph([TASK]), model := ScriptedModel(reply), "A pen, please.", "en"
    )
    assert (await worker(TASK, ctx)).value == ORDER
    said = model.requests[-1].messages[-1].content
    assert "colour: Input should be 'blue' or 'green'; paid.card.number: Field required" in said
    if architecture:
        assert "a green pen, by card" in model.requests[1].messages[-1].content


async def test_a_conclusion_that_is_of_the_type_already_is_taken_as_it_is(ctx: RunContext) -> None:
    agent = Agent("clerk", "Quote.", output_type=Quote, architecture="direct")
    worker = CrewWorker(Crew([agent]), TaskGraph([TASK]), model := ScriptedModel([GOOD]), "A pen?", "en")
    assert (await worker(TASK, ctx)).value == {"item": "pen", "euros": 12.5}
    assert len(model.requests) == 1
