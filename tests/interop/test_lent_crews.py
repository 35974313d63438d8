"""Crews of ours given away: a LangGraph graph, a langchain tool, an AutoGen agent and a CrewAI tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from crewgraph import Agent, Crew, House, Settings, Task
from crewgraph.agents.interop import as_autogen, as_crewai, function_agent
from crewgraph.agents.model import ToolCall
from crewgraph.agents.testing import ForbiddenModel
from crewgraph.runtime.errors import InvalidRequest, TaskFailed
from crewgraph.serving.lending import as_autogen_agent, as_crewai_tool, as_langgraph, as_tool

from .frameworks import installed, without
from .scripted import Script

ASKED: list[Any] = [HumanMessage("Hello."), HumanMessage("What does ink cost?")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, model_url=None, model=None)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with House.open(settings, client=ForbiddenModel()) as opened:
        yield opened


def crew_of(fn: Any) -> Crew:
    """A crew of one agent at one task."""
    clerk = Agent("clerk", "Know prices.", architecture=function_agent(fn))
    return Crew([clerk], tasks=[Task(id="t1", description="Say it.", agent="clerk")], name="price desk")


async def nine(desk: Any) -> str:
    """Says what it was asked, and how much was said before."""
    return f"Nine euros, to {desk.brief.request!r} after {len(desk.brief.history)}."


ANSWER = "Nine euros, to 'What does ink cost?' after 1."


async def test_a_crew_is_a_graph_over_messages(house: House) -> None:
    last = (await as_langgraph(crew_of(nine), house).ainvoke({"messages": ASKED}))["messages"]
    assert [message.content for message in last[2:]] == [ANSWER]
    assert last[-1].name == "price_desk"
    run_id = last[-1].response_metadata["run_id"]
    assert (await house.replay(run_id, crew_of(nine))).answer == ANSWER


async def test_a_crew_is_a_node_of_a_graph(house: House) -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("desk", as_langgraph(crew_of(nine), house))
    builder.add_node("thanks", lambda state: {"messages": [HumanMessage("Thanks.")]})
    builder.add_edge(START, "desk")
    builder.add_edge("desk", "thanks")
    builder.add_edge("thanks", END)
    last = (await builder.compile().ainvoke({"messages": ASKED}))["messages"]
    assert [message.content for message in last[2:]] == [ANSWER, "Thanks."]


async def test_what_a_crew_asks_a_person_is_an_interrupt_of_the_graph(house: House) -> None:
    async def bargain(desk: Any) -> str:
        first = await desk.ctx.ask("How much?", choices=("edit", "reject"))
        second = await desk.ctx.ask("Really?", choices=("approve", "reject"))
        return f"{first.value} euros, {second.decision}d."

    graph = as_langgraph(crew_of(bargain), house, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "7"}}
    asked = (await graph.ainvoke({"messages": ASKED}, config))["__interrupt__"]
    assert (asked[0].value["question"], asked[0].value["choices"]) == ("How much?", ["edit", "reject"])
    asked = (await graph.ainvoke(Command(resume=8), config))["__interrupt__"]
    assert asked[0].value["question"] == "Really?"
    last = await graph.ainvoke(Command(resume=True), config)
    assert last["messages"][-1].content == "8 euros, approved."
    assert len(await house.store.list_runs()) == 1
    again = await graph.ainvoke({"messages": [HumanMessage("Once more.")]}, config)
    assert again["__interrupt__"]
    assert len(await house.store.list_runs()) == 2, "the next request of the thread is another run"


async def test_a_run_that_was_broken_off_goes_on_when_the_graph_does(house: House) -> None:
    calls: list[str] = []

    async def fragile(desk: Any) -> str:
        async def count() -> str:
            calls.append("counted")
            return "9"

        euros = await desk.ctx.step("count", count, inputs=None)
        if len(calls) == 1:
            calls.append("broke")
            raise ConnectionError("gone")
        return f"{euros} euros."

    graph = as_langgraph(crew_of(fragile), house, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "7"}}
    with pytest.raises(TaskFailed, match="gone"):
        await graph.ainvoke({"messages": ASKED}, config)
    assert (await graph.ainvoke(None, config))["messages"][-1].content == "9 euros."
    assert calls == ["counted", "broke"]


async def test_a_graph_that_is_asked_nothing_says_so(house: House) -> None:
    with pytest.raises(InvalidRequest, match="asked nothing"):
        await as_langgraph(crew_of(nine), house).ainvoke({"messages": []})


async def test_a_crew_is_a_langchain_tool_for_coroutines_and_threads(house: House) -> None:
    made = as_tool(crew_of(nine), house, description="Prices.")
    assert (made.name, made.description) == ("price_desk", "Prices.")
    said = "Nine euros, to 'ink?' after 0."
    assert await made.ainvoke({"request": "ink?"}) == said
    assert await asyncio.to_thread(made.invoke, {"request": "ink?"}) == said


def test_a_crew_without_a_house_gets_one_for_each_request(settings: Settings) -> None:
    made = as_tool(crew_of(nine), settings=settings)
    assert made.invoke({"request": "ink?"}) == "Nine euros, to 'ink?' after 0."
    assert asyncio.run(made.ainvoke({"request": "ink?"})) == "Nine euros, to 'ink?' after 0."


async def test_a_tool_says_in_words_that_it_waits_or_has_no_answer(house: House) -> None:
    async def ask(desk: Any) -> str:
        return str(await desk.ctx.ask("How much?"))

    async def fail(desk: Any) -> str:
        raise ConnectionError("gone")

    waits = await as_tool(crew_of(ask), house).ainvoke({"request": "ink?"})
    assert "waits for a person" in waits
    assert (await house.store.list_runs(1))[0].id in waits
    assert "no answer" in await as_tool(crew_of(fail), house).ainvoke({"request": "ink?"})


async def test_a_crew_is_an_autogen_agent(house: House, autogen_here: None) -> None:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.teams import RoundRobinGroupChat

    desk = as_autogen_agent(crew_of(nine), house)
    alone = await desk.run(task="What does ink cost?")
    assert alone.messages[-1].content == "Nine euros, to 'What does ink cost?' after 0."
    await desk.on_reset(None)
    client = Script("I ask for the desk.")
    host = AssistantAgent("host", model_client=as_autogen(client))
    done = await RoundRobinGroupChat([host, desk], max_turns=2).run(task="What does ink cost?")
    assert done.messages[-1].content == "Nine euros, to 'I ask for the desk.' after 1."
    assert done.messages[-1].source == "price_desk"


async def test_a_cancelled_autogen_agent_ends_the_run(house: House, autogen_here: None) -> None:
    from autogen_core import CancellationToken

    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(desk: Any) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    token = CancellationToken()
    work = asyncio.create_task(
        as_autogen_agent(crew_of(forever), house).run(task="ink?", cancellation_token=token)
    )
    await begun.wait()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await ended.wait()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Cannot set an attribute:ImportWarning")
async def test_a_crew_is_a_crewai_tool(house: House, crewai_here: None) -> None:
    from crewai import Agent as Member
    from crewai import Crew as Members
    from crewai import Task as Job

    tool = as_crewai_tool(crew_of(nine), house)
    call = ToolCall("c1", "price_desk", {"request": "ink?"})
    client = Script(call, "It is nine.")
    member = Member(role="Clerk", goal="Know.", backstory="Old.", llm=as_crewai(client), tools=[tool])
    crew = Members(agents=[member], tasks=[Job(description="Find.", expected_output="It.", agent=member)])
    assert (await crew.akickoff()).raw == "It is nine."
    assert "Nine euros, to 'ink?' after 0." in client.requests[1].messages[-1].content


@pytest.mark.parametrize(
    ("framework", "lend"),
    [("crewai", as_crewai_tool), ("autogen", as_autogen_agent)],
    ids=["crewai", "autogen"],
)
def test_a_framework_that_is_missing_is_named(framework: str, lend: Any) -> None:
    if installed(framework):
        pytest.skip(f"{framework} is installed here")
    assert "frameworks.sh" in without(framework)
    with pytest.raises(InvalidRequest, match="is not installed"):
        lend(crew_of(nine))
