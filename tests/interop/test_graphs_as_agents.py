"""LangGraph graphs as agents of a crew: on our model and tools, journalled, stopped, asked through."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from crewgraph import tool
from crewgraph.agents.interop import (
    as_langchain,
    function_agent,
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
    Rejected,
    StepInDoubt,
    TaskFailed,
)
from crewgraph.runtime.events import Answer, TextDelta
from crewgraph.runtime.graph import TaskResult

from .floor import Floor, one
from .scripted import Endless, Script, Talker

INK = ToolCall("c1", "price", {"item": "ink"})


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]


def seller(tools: Any, *, sync: bool = False, **compiled: Any) -> Any:
    """The usual agent graph: the model decides, its calls are carried out, until it answers."""
    model = as_langchain(task_model()).bind_tools(tools)

    async def decide(state: State) -> State:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def decide_now(state: State) -> State:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(State)
    builder.add_node("decide", decide_now if sync else decide)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "decide")
    builder.add_conditional_edges("decide", tools_condition, {"tools": "tools", END: END})
    builder.add_edge("tools", "decide")
    return builder.compile(**compiled)


class Shop:
    """Prices, and how often they were looked up."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def ours(self) -> Any:
        @tool
        def price(item: str) -> str:
            """The price of an item."""
            self.calls.append(item)
            return f"{item} costs 9 euros"

        return price

    def theirs(self) -> Any:
        @langchain_tool("price")
        def price(item: str) -> str:
            """The price of an item."""
            self.calls.append(item)
            return f"{item} costs 9 euros"

        return price


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
