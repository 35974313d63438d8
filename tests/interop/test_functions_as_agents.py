"""Plain async functions as agents of a crew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import StateGraph

from crewgraph.agents.interop import (
    function_agent,
    langgraph_agent,
)
from crewgraph.agents.model import Message
from crewgraph.runtime.errors import (
    InvalidCrew,
)

from .floor import one
from .scripted import Script
from .shop import Shop, State


async def test_a_function_is_an_agent_that_is_given_what_is_asked(tmp_path: Path) -> None:
    async def shout(text: str) -> str:
        return text.upper()

    assert (await one(function_agent(shout), tmp_path, Script()).sitting())["t1"].text.endswith(
        "WHAT DOES INK COST?"
    )


async def test_a_function_may_have_the_desk_and_each_of_its_calls_is_a_step(tmp_path: Path) -> None:
    shop = Shop()
    price = shop.ours()

    async def look(desk: Any) -> Any:
        reply = await desk.say([Message("user", desk.asked)])
        return {"said": reply.text, "price": await desk.call("price", {"item": "ink"})}

    floor = one(function_agent(look), tmp_path, Script("nine"), tools=[price])
    done = await floor.sitting()
    assert done["t1"].value["said"] == "nine"  # type: ignore[index,call-overload]
    assert await floor.steps() == ["model", "tool:price"]
    assert (await floor.replay())["t1"] == done["t1"]
    assert shop.calls == ["ink"]


async def test_a_function_may_be_one_step(tmp_path: Path) -> None:
    sent: list[str] = []

    async def send(text: str) -> str:
        sent.append(text)
        return "sent"

    floor = one(function_agent(send, effect="once"), tmp_path, Script())
    await floor.sitting()
    assert (await floor.replay())["t1"].text == "sent"
    assert len(sent) == 1


def test_what_is_no_function_of_one_parameter_is_refused() -> None:
    def sync(text: str) -> str:
        return text

    async def two(a: str, b: str) -> str:
        return a + b

    with pytest.raises(InvalidCrew, match="no async function"):
        function_agent(sync)  # type: ignore[arg-type]
    with pytest.raises(InvalidCrew, match="takes 2 parameters"):
        function_agent(two)  # type: ignore[arg-type]
    with pytest.raises(InvalidCrew, match="no compiled LangGraph graph"):
        langgraph_agent(StateGraph(State))
