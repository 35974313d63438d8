"""Compiled LangGraph graphs keep their threads with LangGraph's own savers, on our model client, beside our conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, MessagesState, StateGraph

from crewgraph import House, ModelRequest, Settings
from crewgraph.agents.interop import as_langchain
from crewgraph.agents.testing import ScriptedModel

from .conftest import crew


def heard(request: ModelRequest) -> str:
    return f"after {len(request.messages) - 1}"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(
        tmp_path / "graph.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


@asynccontextmanager
async def saver_at(place: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """LangGraph's own saver, as its users open it."""
    if place.startswith("postgresql"):
        pytest.importorskip("langgraph.checkpoint.postgres")
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        async with AsyncPostgresSaver.from_conn_string(place) as postgres:
            await postgres.setup()
            yield postgres
        return
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(place) as sqlite:
        yield sqlite


def compiled(model: ScriptedModel, saver: BaseCheckpointSaver[Any]) -> Any:
    """A graph of one node that speaks, as anybody writes it."""
    chat = as_langchain(model)

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await chat.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")
    return builder.compile(checkpointer=saver)


async def said(graph: Any, thread: str, text: str) -> str:
    found = await graph.ainvoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": thread}})
    return str(found["messages"][-1].content)


async def test_a_compiled_graph_goes_on_where_its_thread_was(place: str) -> None:
    async with saver_at(place) as saver:
        assert await said(compiled(ScriptedModel(heard), saver), "one", "Hello") == "after 0"
    async with saver_at(place) as saver:
        graph = compiled(ScriptedModel(heard), saver)
        assert await said(graph, "one", "And now?") == "after 2"
        assert await said(graph, "other", "Hello") == "after 0"


async def test_it_shares_a_database_and_a_thread_id_with_our_conversations(
    place: str, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path / "home",
        model_url=None,
        model=None,
        database_url=place if place.startswith("postgresql") else None,
    )
    model = ScriptedModel(heard)
    async with House.open(settings, client=model) as house, saver_at(place) as saver:
        thread = (await house.store.create_thread()).id
        graph = compiled(model, saver)
        assert await said(graph, thread, "Hello") == "after 0"
        assert (await house.ask(crew, "Hello to you.", thread_id=thread, planner="rules")).answer == "after 1"
        assert await said(graph, thread, "And now?") == "after 2"
    async with House.open(settings, client=model) as house:
        assert len(await house.store.messages(thread)) == 2
