"""LangGraph graphs as agents of a crew that ask a person in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from crewgraph.agents.interop import (
    as_langchain,
    langgraph_agent,
    task_model,
)
from crewgraph.runtime.errors import (
    Rejected,
)
from crewgraph.runtime.events import Answer

from .floor import one
from .scripted import Script
from .shop import INK, State, seller


def asks(saver: Any = None, *, before: list[str] | None = None) -> Any:
    """A graph that asks a person in the middle of a node, after a call of the model in the same node."""

    async def sell(state: State) -> Any:
        offer = await as_langchain(task_model()).ainvoke(state["messages"])
        agreed = interrupt({"question": "Is that a deal?", "offer": offer.content})
        return {"messages": [HumanMessage(f"{offer.content}: {agreed}")]}

    async def close(state: State) -> Any:
        return {"messages": [await as_langchain(task_model()).ainvoke(state["messages"])]}

    builder = StateGraph(State)
    builder.add_node("sell", sell)
    builder.add_node("close", close)
    builder.add_edge(START, "sell")
    builder.add_edge("sell", "close")
    return builder.compile(checkpointer=saver, interrupt_before=before)


@pytest.mark.parametrize("saver", [None, InMemorySaver()])
async def test_an_interrupt_is_a_question_to_a_person_and_the_graph_goes_on_with_the_answer(
    tmp_path: Path, saver: Any
) -> None:
    client = Script("9 euros", "Sold.")
    floor = one(langgraph_agent(asks(saver)), tmp_path, client)
    answer = Answer(decision="edit", value="8 euros")
    assert await floor.asked_and_answered(answer) == "Is that a deal?"
    assert (await floor.sitting())["t1"].text == "Sold."
    assert client.requests[1].messages[-1].content == "9 euros: 8 euros"
    assert len(client.requests) == 2, "what the node had asked before the question is not asked again"
    assert (await floor.replay())["t1"].text == "Sold."
    if saver is not None:
        thread = f"{floor.run_id}/t1"
        state = await asks(saver).aget_state({"configurable": {"thread_id": thread}})
        assert state.values["messages"][-1].content == "Sold."


async def test_an_interrupt_that_is_only_agreed_to_goes_on_with_true(tmp_path: Path) -> None:
    client = Script("9 euros", "Sold.")
    floor = one(langgraph_agent(asks()), tmp_path, client)
    await floor.asked_and_answered(Answer(decision="approve"))
    await floor.sitting()
    assert client.requests[1].messages[-1].content == "9 euros: True"


async def test_a_graph_that_was_compiled_to_stop_asks_whether_it_may_go_on(tmp_path: Path) -> None:
    graph = asks(InMemorySaver(), before=["close"])
    floor = one(langgraph_agent(graph), tmp_path, Script("9 euros", "Sold."))
    await floor.asked_and_answered(Answer(decision="approve"))
    assert "close" in await floor.asked_and_answered(Answer(decision="approve"))
    assert (await floor.sitting())["t1"].text == "Sold."
    other = one(langgraph_agent(graph), tmp_path, Script("9 euros", "Sold."))
    await other.asked_and_answered(Answer(decision="approve"))
    await other.asked_and_answered(Answer(decision="reject"))
    with pytest.raises(Rejected, match="close"):
        await other.sitting()


async def test_a_tool_that_asks_a_person_is_called_to_its_end_once(tmp_path: Path) -> None:
    sent: list[str] = []

    @langchain_tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        euros = interrupt(f"What does {item} cost?")
        sent.append(item)
        return f"{euros} euros"

    client = Script(INK, "Seven euros.")
    floor = one(langgraph_agent(seller([price])), tmp_path, client)
    assert await floor.asked_and_answered(Answer(decision="edit", value=7)) == "What does ink cost?"
    assert (await floor.sitting())["t1"].text == "Seven euros."
    assert "7 euros" in client.requests[1].messages[-1].content
    assert sent == ["ink"]
    await floor.replay()
    assert sent == ["ink"]
