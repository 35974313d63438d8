"""What the tests of graphs as agents share: a shop whose prices are looked up, and the usual agent graph."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langchain_core.tools import tool as langchain_tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition

from crewgraph import tool
from crewgraph.agents.interop import (
    as_langchain,
    task_model,
)
from crewgraph.agents.model import ToolCall

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
