"""A crew that needs no model: two bound tool calls, one after the other."""

from pathlib import Path

from crewgraph import Agent, Crew, Task, tool

CALLS = Path(__file__).with_name("calls.txt")


@tool(effect="read_only")
async def price(item: str) -> float:
    """The price of an item, in EUR."""
    return {"pen": 2.0, "ink": 5.0}[item]


@tool(effect="read_only")
async def add(one: float, other: float) -> float:
    """Add two prices."""
    return one + other


crew = Crew(
    name="shop",
    agents=[Agent("clerk", "Tell prices.", tools=[price, add])],
    tasks=[
        Task(id="pen", description="price of a pen", tool="price", args={"item": "pen"}, agent="clerk"),
        Task(id="ink", description="price of ink", tool="price", args={"item": "ink"}, agent="clerk"),
        Task(
            id="both",
            description="the sum",
            tool="add",
            args={"one": "$pen.value", "other": "$ink.value"},
            agent="clerk",
        ),
    ],
)
