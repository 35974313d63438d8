"""LangGraph graphs as agents of a crew: on our model and tools, journalled, and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from crewgraph.agents.interop import (
    as_langchain,
    langchain_tools,
    langgraph_agent,
    task_context,
    task_model,
)
from crewgraph.agents.model import Message, ModelRequest, ToolCall
from crewgraph.runtime.budget import Budget
from crewgraph.runtime.errors import (
    BudgetExceeded,
    EngineError,
    InvalidCrew,
    InvalidRequest,
    StepInDoubt,
    TaskFailed,
)
from crewgraph.runtime.events import TextDelta
from crewgraph.runtime.graph import TaskResult

from .floor import Floor, one
from .scripted import Endless, Script, Talker
from .shop import INK, Shop, State, seller


@pytest.mark.parametrize("sync", [False, True])
async def test_a_graph_works_on_our_model_and_tools_and_each_call_is_a_step(
    tmp_path: Path, sync: bool
) -> None:
    shop = Shop()
    price = shop.ours()
    client = Script(INK, "Ink costs 9 euros.")
    graph = seller(langchain_tools([price]), sync=sync)
    floor = one(
        langgraph_agent(graph), tmp_path, client, tools=[price], model="small", adapter="sales", max_tokens=77
    )
    done = await floor.sitting()
    assert done["t1"].text == "Ink costs 9 euros."
    assert await floor.steps() == ["model", "tool:price", "model"]
    first = client.requests[0]
    assert (first.model, first.adapter, first.max_tokens) == ("small", "sales", 77)
    assert "What does ink cost?" in first.messages[-1].content
    assert [(seen.tool, seen.args) for seen in floor.seen] == [("price", {"item": "ink"})]
    assert "9 euros" in client.requests[1].messages[-1].content
    assert shop.calls == ["ink"]
    assert (await floor.replay())["t1"].text == done["t1"].text
    assert shop.calls == ["ink"]


async def test_a_graphs_own_tools_are_steps_that_happen_once(tmp_path: Path) -> None:
    shop = Shop()
    floor = one(langgraph_agent(seller([shop.theirs()])), tmp_path, Script(INK, "Ink costs 9 euros."))
    await floor.sitting()
    assert await floor.steps() == ["model", "tool:price", "model"]
    await floor.replay()
    assert shop.calls == ["ink"]


async def test_a_task_that_was_broken_off_reads_its_steps_back(tmp_path: Path) -> None:
    shop = Shop()

    def away(request: ModelRequest) -> str:
        raise EngineError("away")

    graph = seller([shop.theirs()])
    floor = one(langgraph_agent(graph), tmp_path, Script(INK, away))
    with pytest.raises(TaskFailed, match="away"):
        await floor.sitting()
    floor.client = Script("Ink costs 9 euros.")
    assert (await floor.sitting())["t1"].text == "Ink costs 9 euros."
    assert shop.calls == ["ink"]
    await floor.replay()


async def test_a_tool_that_failed_in_the_middle_is_in_doubt_and_not_called_again(tmp_path: Path) -> None:
    calls: list[str] = []

    @langchain_tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        raise ConnectionError("the line went dead")

    floor = one(langgraph_agent(seller([price])), tmp_path, Script(INK))
    for _ in range(2):
        with pytest.raises(StepInDoubt, match="tool:price"):
            await floor.sitting()
    assert calls == ["ink"]


async def test_a_tool_that_may_be_called_again_is(tmp_path: Path) -> None:
    calls: list[str] = []

    @langchain_tool("price")
    def price(item: str) -> str:
        """The price of an item."""
        calls.append(item)
        if len(calls) == 1:
            raise ConnectionError("the line went dead")
        return "9 euros"

    way = langgraph_agent(seller([price]), effects={"price": "read_only"})
    floor = one(way, tmp_path, Script(INK, "9 euros."))
    with pytest.raises(TaskFailed, match="the line went dead"):
        await floor.sitting()
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert calls == ["ink", "ink"]


async def test_an_agent_that_may_only_read_calls_no_tool_with_effects(tmp_path: Path) -> None:
    shop = Shop()
    floor = one(langgraph_agent(seller([shop.theirs()])), tmp_path, Script(INK, "no"), may=("read_only",))
    with pytest.raises(TaskFailed, match="may not call price"):
        await floor.sitting()
    assert shop.calls == []


async def test_tools_that_steer_the_graph_are_read_back_too(tmp_path: Path) -> None:
    calls: list[str] = []

    @langchain_tool("price")
    def price(item: str) -> Command[Any]:
        """The price of an item."""
        from langchain_core.messages import ToolMessage

        calls.append(item)
        return Command(update={"messages": [ToolMessage("9 euros", tool_call_id="c1")]})

    floor = one(langgraph_agent(seller([price])), tmp_path, Script(INK, "9 euros."))
    assert (await floor.sitting())["t1"].text == "9 euros."
    assert (await floor.replay())["t1"].text == "9 euros."
    assert calls == ["ink"]


async def test_one_graph_serves_tasks_side_by_side(tmp_path: Path) -> None:
    from crewgraph.agents.agent import Agent
    from crewgraph.agents.crew import Crew
    from crewgraph.runtime.graph import Task

    way = langgraph_agent(seller([Shop().theirs()]))
    agents = [Agent(f"a{n}", "g", architecture=way, max_tokens=100 + n) for n in range(5)]
    tasks = [Task(id=f"t{n}", description=f"number {n}", agent=f"a{n}") for n in range(5)]
    client = Endless(lambda request: f"{request.max_tokens} {request.messages[-1].content[-1]}")
    floor = Floor(tmp_path, Crew(agents, tasks=tasks), client)
    done = await floor.sitting()
    assert {key: result.text for key, result in done.items()} == {f"t{n}": f"10{n} {n}" for n in range(5)}


async def test_what_the_graph_is_given_and_what_is_taken_can_be_said(tmp_path: Path) -> None:
    class Numbers(TypedDict):
        words: str
        count: int

    async def count(state: Numbers) -> Any:
        reply = await as_langchain(task_model()).ainvoke(state["words"])
        return {"count": len(str(reply.content).split())}

    builder = StateGraph(Numbers)
    builder.add_node("count", count)
    builder.add_edge(START, "count")
    graph = builder.compile()
    with pytest.raises(InvalidCrew, match="no `messages` in its state"):
        langgraph_agent(graph)
    way = langgraph_agent(
        graph, given=lambda desk: {"words": desk.brief.request}, taken=lambda state: {"count": state["count"]}
    )
    done = await one(way, tmp_path, Script("one two three")).sitting()
    assert done["t1"].value == {"count": 3}


async def test_earlier_messages_of_the_thread_come_first(tmp_path: Path) -> None:
    client = Script("9.")
    floor = one(langgraph_agent(seller([Shop().theirs()])), tmp_path, client)
    floor.history = [Message("user", "Hello."), Message("assistant", "Good day.")]
    await floor.sitting()
    assert [m.content for m in client.requests[0].messages[:2]] == ["Hello.", "Good day."]


async def test_effects_of_a_node_itself_can_be_made_steps(tmp_path: Path) -> None:
    sent: list[str] = []

    async def send(state: State) -> Any:
        async def post() -> str:
            sent.append("letter")
            return "posted"

        said = await task_context().step("mail", post, inputs="letter", effect="once")
        return {"messages": [HumanMessage(said)]}

    builder = StateGraph(State)
    builder.add_node("send", send)
    builder.add_edge(START, "send")
    floor = one(langgraph_agent(builder.compile()), tmp_path, Script())
    await floor.sitting()
    assert (await floor.replay())["t1"].text == "posted"
    assert sent == ["letter"]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_cancelled_graph_leaves_no_call_under_way(tmp_path: Path, sync: bool) -> None:
    client = Talker()
    floor = one(langgraph_agent(seller([Shop().theirs()], sync=sync)), tmp_path, client)
    work = asyncio.create_task(floor.sitting())
    await client.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (client.talking, client.calls) == (0, 1)


async def test_a_budget_ends_a_graph_that_would_go_on_for_ever(tmp_path: Path) -> None:
    shop = Shop()
    graph = seller([shop.theirs()])
    client = Endless(lambda request: ToolCall("c", "price", {"item": str(len(request.messages))}))
    with pytest.raises(BudgetExceeded):
        await one(langgraph_agent(graph), tmp_path, client).sitting(Budget(tool_calls=3))
    assert len(shop.calls) == 3


async def test_a_budget_ends_a_graph_that_catches_every_error(tmp_path: Path) -> None:
    model = as_langchain(task_model())

    async def stubborn(state: State) -> Any:
        for _ in range(10):
            try:
                return {"messages": [await model.ainvoke(state["messages"])]}
            except Exception:
                continue
        return {"messages": [HumanMessage("I went on all the same.")]}

    builder = StateGraph(State)
    builder.add_node("stubborn", stubborn)
    builder.add_edge(START, "stubborn")
    client = Script("never")
    with pytest.raises(BudgetExceeded):
        await one(langgraph_agent(builder.compile()), tmp_path, client).sitting(Budget(tokens=0))
    assert client.requests == []


async def test_a_failing_graph_says_so_in_its_own_words(tmp_path: Path) -> None:
    def fail(state: State) -> Any:
        raise KeyError("the ledger")

    builder = StateGraph(State)
    builder.add_node("fail", fail)
    builder.add_edge(START, "fail")
    with pytest.raises(
        TaskFailed, match=r"LangGraph graph of the agent 'clerk' failed with KeyError: 'the ledger'"
    ):
        await one(langgraph_agent(builder.compile()), tmp_path, Script()).sitting()


@pytest.mark.parametrize("aloud", [True, "close"])
async def test_words_are_shown_as_they_are_written_where_that_is_wished_for(
    tmp_path: Path, aloud: Any
) -> None:
    async def think(state: State) -> Any:
        return {"messages": [await as_langchain(task_model()).ainvoke(state["messages"])]}

    builder = StateGraph(State)
    builder.add_node("think", think)
    builder.add_node("close", think)
    builder.add_edge(START, "think")
    builder.add_edge("think", "close")
    floor = one(langgraph_agent(builder.compile(), aloud=aloud), tmp_path, Script("one two", "three four"))
    await floor.sitting()
    words = [event.text for event in floor.events if isinstance(event, TextDelta)]
    assert "".join(words) == ("one twothree four" if aloud is True else "three four")
    assert len(words) > 1


async def test_the_model_of_a_task_is_nobodys_outside_of_one() -> None:
    with pytest.raises(InvalidRequest, match="belongs to a task"):
        await as_langchain(task_model()).ainvoke("hello")
    with pytest.raises(InvalidRequest, match="belongs to a task"):
        task_context()


async def test_an_attempt_that_a_guardrail_refuses_does_not_call_tools_twice(tmp_path: Path) -> None:
    from crewgraph import Agent, Crew, House, Settings, Task

    shop = Shop()
    tools = seller([shop.theirs()])

    def polite(result: TaskResult) -> str | None:
        return None if "please" in result.text else "Say please."

    clerk = Agent("clerk", "Sell.", architecture=langgraph_agent(tools), guardrails=[polite])
    crew = Crew([clerk], tasks=[Task(id="t1", description="Say it.", agent="clerk")])
    client = Script(INK, "9 euros.", INK, "9 euros, please.")
    async with House.open(Settings(home=tmp_path, model_url=None, model=None), client=client) as house:
        done = await house.ask(crew, "What does ink cost?")
        assert done.answer == "9 euros, please."
        assert shop.calls == ["ink"]
        assert (await house.replay(done.run_id, crew)).answer == done.answer
    assert shop.calls == ["ink"]
