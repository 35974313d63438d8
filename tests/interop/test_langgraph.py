"""Our model client inside LangGraph graphs, with and without tools, from coroutines and from threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from crewgraph.agents.interop import CallScope, as_langchain
from crewgraph.agents.model import Message, ModelClient, ModelRequest, ToolCall
from crewgraph.agents.testing import ScriptedModel
from crewgraph.runtime.errors import EngineError, InvalidRequest

from .scripted import Script, Talker


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]


@tool
def price(item: Literal["pen", "ink"]) -> str:
    """The price of an item."""
    return {"pen": "2 euros", "ink": "9 euros"}[item]


def agent_graph(model: Any, *, sync: bool = False) -> Any:
    """The usual agent: the model decides, its tool calls are carried out, until it answers."""

    async def decide(state: State) -> State:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def decide_now(state: State) -> State:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(State)
    builder.add_node("decide", decide_now if sync else decide)
    builder.add_node("tools", ToolNode([price]))
    builder.add_edge(START, "decide")
    builder.add_conditional_edges("decide", tools_condition, {"tools": "tools", END: END})
    builder.add_edge("tools", "decide")
    return builder.compile()


ASKED: State = {"messages": [SystemMessage("You sell."), HumanMessage("What does ink cost?")]}
INK = ToolCall("c1", "price", {"item": "ink"})


async def test_an_agent_graph_calls_a_tool_and_answers() -> None:
    client = Script(INK, "Ink costs 9 euros.")
    model = as_langchain(client, max_tokens=99).bind_tools([price])
    last = (await agent_graph(model).ainvoke(ASKED))["messages"]
    assert last[-1].content == "Ink costs 9 euros."
    assert [m.content for m in last if isinstance(m, ToolMessage)] == ["9 euros"]
    first, second = client.requests
    assert (first.tools[0].name, first.max_tokens) == ("price", 99)
    assert first.tools[0].parameters["properties"]["item"]["enum"] == ["pen", "ink"]
    assert second.messages[2:] == (
        Message("assistant", "", (INK,)),
        Message("tool", "9 euros", (), "c1"),
    )


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
async def test_the_prebuilt_react_agent_takes_it() -> None:
    from langgraph.prebuilt import create_react_agent

    client = Script(INK, "Ink costs 9 euros.")
    graph = create_react_agent(as_langchain(client), [price])
    last = await graph.ainvoke({"messages": [("user", "What does ink cost?")]})
    assert last["messages"][-1].content == "Ink costs 9 euros."
    assert [len(request.tools) for request in client.requests] == [1, 1]


async def test_usage_finish_reason_and_model_are_told() -> None:
    message = await as_langchain(Script("two words")).ainvoke("three words here")
    assert message.usage_metadata is not None
    assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (3, 2)
    assert message.usage_metadata.get("input_token_details") == {"cache_read": 1}
    assert message.response_metadata["model_name"] == "script"
    assert message.response_metadata["finish_reason"] == "stop"


async def test_a_stream_comes_in_pieces_and_sums_to_the_whole() -> None:
    chunks = [chunk async for chunk in as_langchain(Script("one two three")).astream("count")]
    assert [chunk.content for chunk in chunks if chunk.content] == ["one", " two", " three"]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert whole.content == "one two three"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == 3
    assert whole.response_metadata["finish_reason"] == "stop"


async def test_a_streamed_tool_call_is_read_back_whole() -> None:
    model = as_langchain(Script([INK, ToolCall("c2", "price", {"item": "pen"})])).bind_tools([price])
    chunks = [chunk async for chunk in model.astream("prices")]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert [(c["id"], c["args"]["item"]) for c in whole.tool_calls] == [("c1", "ink"), ("c2", "pen")]


async def test_a_graph_streams_the_models_words() -> None:
    heard = [
        chunk.content
        async for chunk, _ in agent_graph(as_langchain(Script("one two"))).astream(
            ASKED, stream_mode="messages"
        )
    ]
    assert [piece for piece in heard if piece] == ["one", " two"]


async def test_synchronous_nodes_run_in_threads_and_the_client_stays_on_its_loop() -> None:
    client = Script(INK, "9 euros.")
    graph = agent_graph(as_langchain(client).bind_tools([price]), sync=True)
    assert (await graph.ainvoke(ASKED))["messages"][-1].content == "9 euros."
    assert client.loops == {asyncio.get_running_loop()}


def test_a_script_without_any_loop_may_simply_invoke() -> None:
    model = as_langchain(Script("one", "two words"))
    assert model.invoke("hello").content == "one"
    assert [c.content for c in model.stream("hello") if c.content] == ["two", " words"]
    model.close()
    assert not any(t.name == "crewgraph model client" for t in threading.enumerate())


class Verdict(BaseModel):
    """What is thought of it."""

    good: bool
    stars: int


async def test_structured_output_is_decoded_under_the_schema() -> None:
    client = ScriptedModel(['{"good": true, "stars": 5}'] * 3)
    model = as_langchain(client)
    assert await model.with_structured_output(Verdict).ainvoke("well?") == Verdict(good=True, stars=5)
    assert client.requests[0].schema is not None
    assert set(client.requests[0].schema["properties"]) == {"good", "stars"}
    as_dict = model.with_structured_output(Verdict.model_json_schema())
    assert await as_dict.ainvoke("well?") == {"good": True, "stars": 5}
    both = await model.with_structured_output(Verdict, include_raw=True).ainvoke("well?")
    assert both["parsed"] == Verdict(good=True, stars=5)
    assert both["parsing_error"] is None


async def test_a_reply_that_does_not_parse_is_told_beside_the_raw_one() -> None:
    model = as_langchain(Script("not json")).with_structured_output(Verdict, include_raw=True)
    both = await model.ainvoke("well?")
    assert both["raw"].content == "not json"
    assert both["parsed"] is None
    assert both["parsing_error"] is not None


@pytest.mark.parametrize(
    ("choice", "names", "must"),
    [
        (None, ["price", "stock"], "auto"),
        ("any", ["price", "stock"], "required"),
        (True, ["price", "stock"], "required"),
        ("stock", ["stock"], "required"),
        ({"type": "function", "function": {"name": "stock"}}, ["stock"], "required"),
        ("none", [], "auto"),
    ],
)
async def test_which_tool_is_to_be_called_can_be_said(choice: Any, names: list[str], must: str) -> None:
    @tool
    def stock(item: str) -> int:
        """How many there are."""
        return 3

    client = Script("fine")
    await as_langchain(client).bind_tools([price, stock], tool_choice=choice).ainvoke("well?")
    assert [spec.name for spec in client.requests[0].tools] == names
    assert client.requests[0].tool_choice == must


async def test_settings_of_a_call_go_before_those_of_the_model() -> None:
    client = Script("fine")
    model = as_langchain(client, temperature=0.5, max_tokens=10, timeout_s=7)
    await model.ainvoke("well?", stop=["\n"], max_tokens=20)
    request = client.requests[0]
    assert (request.temperature, request.max_tokens, request.timeout_s) == (0.5, 20, 7)
    assert request.stop == ("\n",)


async def test_what_cannot_be_sent_is_refused_before_it_is() -> None:
    client = Script()
    model = as_langchain(client)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(InvalidRequest, match=r"message 1 carries something other than text"):
        await model.ainvoke([HumanMessage([{"type": "text", "text": "look"}, image])])
    with pytest.raises(
        InvalidRequest, match="max_token: not a setting of a model call; there are model, max_tokens"
    ):
        await model.ainvoke("well?", max_token=3)
    with pytest.raises(InvalidRequest, match="not a setting"):
        as_langchain(client, warmth=1)
    with pytest.raises(InvalidRequest, match="no tool 'sell' to be called; there are price"):
        model.bind_tools([price], tool_choice="sell")
    assert client.requests == []


async def test_tokens_are_counted_by_the_engine_and_no_tokenizer_is_fetched() -> None:
    model = as_langchain(Script())
    count = await asyncio.to_thread(model.get_num_tokens_from_messages, [HumanMessage("three words here")])
    assert count == 3
    assert await asyncio.to_thread(model.get_num_tokens, "two words") == 2


async def test_an_engines_error_keeps_its_type() -> None:
    class Away(Script):
        async def complete(self, request: ModelRequest) -> Any:
            raise EngineError("away")

    with pytest.raises(EngineError, match="away"):
        await as_langchain(Away()).ainvoke("well?")


@pytest.mark.parametrize("sync", [False, True])
async def test_a_cancelled_graph_leaves_no_call_under_way(sync: bool) -> None:
    client = Talker()
    graph = agent_graph(as_langchain(client), sync=sync)

    async def run() -> None:
        with CallScope():
            await graph.ainvoke(ASKED)

    work = asyncio.create_task(run())
    await client.begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await client.stopped.wait()
    assert (client.talking, client.calls) == (0, 1)


async def test_leaving_a_stream_ends_the_call() -> None:
    client = Talker()
    async for _ in as_langchain(client).astream("talk"):
        break
    await client.stopped.wait()
    assert client.talking == 0


async def test_a_real_engine_drives_an_agent_graph(engine: ModelClient) -> None:
    model = as_langchain(engine, max_tokens=40)
    must = model.bind_tools([price], tool_choice="price")

    async def act(state: State) -> State:
        return {"messages": [await must.ainvoke(state["messages"])]}

    async def answer(state: State) -> State:
        # Long enough that a busy machine cannot hand it over in one piece.
        asked = [*state["messages"], HumanMessage("Now tell a long story about ink, with every detail.")]
        return {"messages": [await model.ainvoke(asked, max_tokens=200)]}

    builder = StateGraph(State)
    builder.add_node("act", act)
    builder.add_node("tools", ToolNode([price]))
    builder.add_node("answer", answer)
    for edge in ((START, "act"), ("act", "tools"), ("tools", "answer"), ("answer", END)):
        builder.add_edge(*edge)
    graph = builder.compile()
    heard = [c async for c, _ in graph.astream(ASKED, stream_mode="messages") if isinstance(c, AIMessage)]
    last = (await graph.ainvoke(ASKED))["messages"]
    assert len([chunk for chunk in heard if chunk.content]) > 2, "it was streamed"
    assert last[2].tool_calls[0]["name"] == "price"
    assert last[3].content in ("2 euros", "9 euros")
    assert last[4].content
    assert last[4].usage_metadata["output_tokens"] > 0


async def test_a_cancelled_graph_frees_a_real_engine(engine: ModelClient) -> None:
    graph = agent_graph(as_langchain(engine, max_tokens=1500, temperature=1.5, seed=None))
    told = asyncio.Event()

    async def tell() -> None:
        story: State = {
            "messages": [HumanMessage("Tell a very long story about a river, with every detail.")]
        }
        async for _ in graph.astream(story, stream_mode="messages"):
            told.set()

    stories = [asyncio.create_task(tell()) for _ in range(8)]
    await told.wait()
    for story in stories:
        story.cancel()
    await asyncio.gather(*stories, return_exceptions=True)
    async with asyncio.timeout(20):  # 8 stories of 1,500 tokens would have kept it busy for minutes
        assert (await as_langchain(engine, max_tokens=8).ainvoke("Say hello.")).content
