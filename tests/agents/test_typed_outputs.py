"""An agent with an `output_type` gives that type, or says after one more try why it cannot."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, Field

from crewgraph import Agent, Crew, Task, TaskGraph, TaskResult
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
    ):
        await fill(model, ctx)
    assert len(model.requests) == 2
