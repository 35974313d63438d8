"""A manager really delegates: colleagues work with their own tools and their own model, and nothing goes in circles."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from crewgraph import Agent, Crew, ModelRequest
from crewgraph.agents.architectures.supervisor import Supervisor
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import ModelError
from crewgraph.runtime.events import Noted

from .conftest import FINISH, Office, Shop, supervisor


def give(role: str, instruction: str = "Do it.") -> str:
    return json.dumps({"colleague": role, "instruction": instruction})


DONE = json.dumps({"finish": True})


async def test_colleagues_do_the_work_with_their_own_tools(office: Office) -> None:
    shop, model = Shop(), ScriptedModel(supervisor)
    async with office.at_work(shop, shop.boss, model) as desk:
        found = await Supervisor().conclude(desk)
    assert shop.calls == ["pen"]
    assert [(one.tool, one.args) for one in found.seen] == [("price", {"item": "pen"})]
    of_clerk = next(r for r in model.requests if "You are the clerk" in r.messages[0].content)
    assert "price(item)" in of_clerk.messages[0].content
    assert "What do two pens cost?" in of_clerk.messages[-1].content
    assert "Find the price." in of_clerk.messages[-1].content
    of_writer = next(r for r in model.requests if "You are the writer" in r.messages[0].content)
    assert "clerk says: A pen is 12.5 EUR." in of_writer.messages[-1].content, (
        "what one came to, the next one knows"
    )


async def test_a_manager_has_no_tools_and_cannot_finish_before_somebody_has_worked(office: Office) -> None:
    shop, model = Shop(), ScriptedModel(supervisor)
    async with office.at_work(shop, shop.boss, model) as desk:
        await Supervisor().conclude(desk)
    schemas = [r.schema for r in model.requests if "You are the boss" in r.messages[0].content and r.schema]
    first, second, *_ = map(json.dumps, schemas)
    assert "finish" not in first
    assert "finish" in second
    assert all("boss" not in schema and "price" not in schema for schema in (first, second))


async def test_the_same_piece_is_given_to_the_same_colleague_once(office: Office) -> None:
    shop = Shop()

    def script(request: ModelRequest) -> str:
        if "You are the boss" in request.messages[0].content:
            return give("writer") if request.schema else "Done."
        return "Answer: a letter"

    model = ScriptedModel(script)
    async with office.at_work(shop, shop.boss, model) as desk:
        assert (await Supervisor(rounds=9).conclude(desk)).text == "Done."
    of_writer = [r for r in model.requests if "You are the writer" in r.messages[0].content]
    assert len(of_writer) == 1
    assert len(model.requests) == 5, "three decisions, one letter, one answer"
    assert [e.text for e in office.heard if isinstance(e, Noted)] == ["boss was stopped after 3 decisions."]


async def test_what_a_colleague_cannot_do_comes_back_to_the_manager(office: Office) -> None:
    shop = Shop()

    def script(request: ModelRequest) -> str:
        if "You are the boss" not in request.messages[0].content:
            raise ModelError("the reply was no use")
        if request.schema is None:
            return "Nobody knows."
        return DONE if len(request.messages) > 2 else give("writer")

    model = ScriptedModel(script)
    async with office.at_work(shop, shop.boss, model) as desk:
        assert (await Supervisor().conclude(desk)).text == "Nobody knows."
    assert "writer could not do that: the reply was no use" in [
        m.content for m in model.requests[-1].messages
    ]


def led(shop: Shop, script: Any) -> tuple[Crew, ScriptedModel]:
    """A boss over a chief, who leads the others too."""
    chief = Agent("chief", "Lead the clerk.", architecture=Supervisor(rounds=2))
    crew = Crew([shop.clerk, chief, shop.boss], name="shop")
    return crew, ScriptedModel(script)


async def test_a_colleague_who_leads_gives_pieces_on_but_never_back(office: Office) -> None:
    shop = Shop()
    offered: dict[str, set[str]] = {}

    def script(request: ModelRequest) -> str:
        who = next(
            role
            for role in ("boss", "chief", "clerk")
            if f"You are the {role}" in request.messages[0].content
        )
        if request.schema is None:
            return f"{who} is done."
        if who == "clerk":
            return FINISH
        piece = request.schema.get("anyOf", [request.schema])[0]
        offered.setdefault(who, set()).update(piece["properties"]["colleague"]["enum"])
        return DONE if len(request.messages) > 2 else give("chief" if who == "boss" else "clerk")

    crew, model = led(shop, script)
    async with office.at_work(shop, shop.boss, model) as desk:
        assert (await Supervisor().conclude(replace(desk, crew=crew))).text == "boss is done."
    assert offered == {"boss": {"clerk", "chief"}, "chief": {"clerk"}}
    speakers = [r.messages[0].content.split("You are the ")[1].split(".")[0] for r in model.requests]
    assert speakers == ["boss", "chief", "clerk", "clerk", "chief", "chief", "boss", "boss"]


async def test_at_the_last_level_a_leader_works_alone(office: Office) -> None:
    shop = Shop()

    def script(request: ModelRequest) -> str:
        boss = "You are the boss" in request.messages[0].content
        if request.schema is None:
            return "Answer: done"
        return DONE if len(request.messages) > 2 or not boss else give("chief")

    crew, model = led(shop, script)
    async with office.at_work(shop, shop.boss, model) as desk:
        await Supervisor(depth=1).conclude(replace(desk, crew=crew))
    assert len(model.requests) == 4, "two decisions, the chief's own answer, the boss's answer"


async def test_only_those_named_are_led(office: Office) -> None:
    shop = Shop()
    boss = replace(shop.boss, delegates=["writer"])
    model = ScriptedModel([give("writer"), "Answer: x", DONE, "Done."])
    async with office.at_work(shop, boss, model) as desk:
        await Supervisor().conclude(desk)
    assert model.requests[0].schema is not None
    assert model.requests[0].schema["properties"]["colleague"] == {"enum": ["writer"]}
