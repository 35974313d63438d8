"""A scripted model says what its script says, to whom it says it, and fails where the script says so."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from crewgraph import Agent, Crew, Message, ModelReply, ModelRequest
from crewgraph.agents.model import ToolSpec
from crewgraph.runtime.errors import EngineBusy
from crewgraph.testing import Act, CrewHouse, ScriptedModel

ASKED = (Message("user", "hello"),)
OFFERED = ToolSpec("price", "the price", {"type": "object", "properties": {"item": {"type": "string"}}})


class Report(BaseModel):
    title: str


async def test_a_tool_call_is_one_where_tools_are_offered_and_json_where_a_schema_is() -> None:
    model = ScriptedModel([Act("price", {"item": "pen"}), Act("price", {"item": "pen"}), Act()])
    reply = await model.complete(ModelRequest(ASKED, tools=(OFFERED,)))
    assert (reply.finish_reason, reply.tool_calls[0].name, reply.tool_calls[0].arguments) == (
        "tool_calls", "price", {"item": "pen"},
    )  # fmt: skip
    schema = {"type": "object"}
    assert (await model.complete(ModelRequest(ASKED, schema=schema))).text == (
        '{"tool": "price", "args": {"item": "pen"}}'
    )
    assert (await model.complete(ModelRequest(ASKED, schema=schema))).text == '{"tool": "finish"}'


async def test_values_become_json_and_whole_replies_stay_as_they_are() -> None:
    whole = ModelReply("cut", "length")
    model = ScriptedModel([Report(title="Ink"), {"title": "鋼筆"}, whole])
    texts = [(await model.complete(ModelRequest(ASKED))).text for _ in range(2)]
    assert texts == ['{"title":"Ink"}', '{"title": "鋼筆"}']
    assert await model.complete(ModelRequest(ASKED)) is whole


async def test_an_error_in_the_script_is_raised_and_the_script_goes_on() -> None:
    model = ScriptedModel([EngineBusy("later"), "now"])
    with pytest.raises(EngineBusy, match="later"):
        await model.complete(ModelRequest(ASKED))
    assert model.left == 1
    assert (await model.complete(ModelRequest(ASKED))).text == "now"


async def test_what_a_schema_cannot_be_fails_the_test() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        await ScriptedModel(["no JSON"]).complete(ModelRequest(ASKED, schema={"type": "object"}))
    with pytest.raises(AssertionError, match="the choices are"):
        await ScriptedModel(["c"]).complete(ModelRequest(ASKED, choices=("a", "b")))


async def test_agents_side_by_side_have_scripts_of_their_own(house: CrewHouse, writers: Crew) -> None:
    script = {"poet": ["The land."], "poet of the sea": ["The sea."], "": lambda _: "The sea it is."}
    told = await house.ask(writers, "Write about water.", script)
    by_role = {r.messages[0].content.split(".")[0]: r for r in told.model.requests}  # type: ignore[attr-defined]  # a ScriptedModel
    assert set(by_role) == {"You are the poet", "You are the poet of the sea", "You are the editor"}
    texts = {e.task_id: e.result.text for e in told.trace if e.kind == "task_finished"}
    assert (texts["a"], texts["b"]) == ("The land.", "The sea.")


async def test_a_call_that_nobody_has_a_script_for_says_who_has_one() -> None:
    with pytest.raises(AssertionError, match="there are scripts for: 'poet'"):
        await ScriptedModel({"poet": ["x"]}).complete(ModelRequest(ASKED))


async def test_a_list_that_runs_out_says_whose_it_was() -> None:
    request = ModelRequest((Agent("poet", "Write.").system(),))
    model = ScriptedModel({"poet": ["x"]})
    await model.complete(request)
    with pytest.raises(AssertionError, match="the script of 'poet' has 1 replies, and this is call 2"):
        await model.complete(request)
