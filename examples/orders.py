"""A crew that does something: it orders tea, asks a person when it gets expensive, and never orders twice.

    crewgraph run examples/orders.py "Order 20 boxes of green tea."     (waits for a person: above 100 EUR)
    crewgraph answer last --approve
    crewgraph run examples/orders.py "Order 2 boxes of black tea."      (just does it)

Orders are lines in orders.tsv, in the folder where the command is typed. Kill it at any moment, and resume it: the
key of each order tells whether it has been placed.
"""

from pathlib import Path
from typing import Literal

from crewgraph import Agent, Crew, DidNotHappen, Happened, IdempotencyKey, tool

Tea = Literal["green tea", "black tea", "white tea"]
PRICES = {"green tea": 14.0, "black tea": 8.5, "white tea": 32.0}
NAMES = {"tea": {"green tea": ["绿茶"], "black tea": ["红茶"], "white tea": ["白茶"]}}
ORDERS = Path("orders.tsv")


@tool(unit="EUR", names=NAMES)
def price(tea: Tea) -> float:
    """The price of a box of tea: what it costs."""
    return PRICES[tea]


def look_up(key: IdempotencyKey) -> Happened | DidNotHappen:
    """Whether the order with this key has been placed: asked after a crash in the middle of one."""
    lines = ORDERS.read_text("utf-8").splitlines() if ORDERS.exists() else []
    placed = next((line.split("\t") for line in lines if line.startswith(f"{key}\t")), None)
    return Happened(f"Ordered {placed[1]} boxes of {placed[2]}.") if placed else DidNotHappen()


def is_expensive(tea: Tea, boxes: int) -> bool:
    return PRICES[tea] * boxes > 100


@tool(effect="once", names=NAMES, approval=is_expensive, reconcile=look_up)
def order(tea: Tea, boxes: int, key: IdempotencyKey) -> str:
    """Order boxes of tea from the supplier."""
    with ORDERS.open("a", encoding="utf-8") as file:
        file.write(f"{key}\t{boxes}\t{tea}\n")
    return f"Ordered {boxes} boxes of {tea}."


buyer = Agent("buyer", "Know prices and order tea.", tools=[price, order])
host = Agent("host", "Tell people what was done.")
crew = Crew(name="orders", agents=[buyer, host])
