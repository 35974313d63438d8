"""The crews to which the labelled requests are put: without tools, with documents, with figures, with deeds, and mixed.

The requests of `calibration.toml` are put to the first four, those of `heldout.toml` to the others and to crews of the
examples that intent was never fitted on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from crewgraph import Agent, Crew, Documents, calculate, tool
from crewgraph.serving.crewfile import load_crew

HERE = Path(__file__).resolve().parent

HANDBOOK = {
    "machine.md": "# Coffee machine\n\nDescale it every two months. The tank holds 1.8 litres. The warranty is two years.\n",
    "staff.md": "# Staff handbook\n\nEmployees get 28 days of leave. Expenses above 50 euros are approved by the head of unit.\n",
}
LEASES = {
    "lease.md": "# Lease\n\nThe deposit is two monthly rents. Pets need consent. Notice is three months.\n",
    "house.md": "# House rules\n\nQuiet hours are from ten to six. Bicycles stand in the cellar. Bins go out on Mondays.\n",
}

Item = Literal["pen", "ink", "paper", "stamp", "glue", "tape", "ruler", "eraser", "clip", "folder"]
ITEMS = {
    "pen": ["钢笔"], "ink": ["墨水"], "paper": ["纸"], "stamp": ["邮票"], "glue": ["胶水"],
    "tape": ["胶带"], "ruler": ["尺子"], "eraser": ["橡皮"], "clip": ["回形针"], "folder": ["文件夹"],
}  # fmt: skip
DAYS = {
    "monday": ["星期一", "周一"], "tuesday": ["星期二", "周二"], "friday": ["星期五", "周五"], "sunday": ["星期天", "周日"],
}  # fmt: skip
ROOMS = {
    "kitchen": ["厨房"],
    "bedroom": ["卧室"],
    "hall": ["走廊"],
    "garage": ["车库"],
    "office": ["书房"],
}


@tool(unit="EUR", names={"item": ITEMS})
def price(item: Item) -> float:
    """The price of an item in the shop, in euros: what it costs."""
    return float(len(item))


@tool(names={"day": DAYS})
def opening_hours(day: Literal["monday", "tuesday", "friday", "sunday"]) -> str:
    """When the shop opens and closes on a day of the week."""
    return f"{day}: 9 to 6"


@tool
def convert_currency(amount: float, to: Literal["USD", "CNY", "GBP"]) -> float:
    """Convert an amount of euros into another currency."""
    return amount * len(to)


@tool(names={"room": ROOMS})
def light(room: Literal["kitchen", "bedroom", "hall", "garage", "office"], on: bool) -> str:
    """Turn the light of a room on or off (开灯关灯)."""
    return f"{room} {on}"


@tool
def weather(place: str, day: str = "today") -> str:
    """The weather forecast for a place: rain, sun, temperature (天气预报)."""
    return f"{place} {day}: fine"


@tool(effect="once")
def send_message(to: str, text: str) -> str:
    """Send a message to somebody (发消息)."""
    return f"{to}: {text}"


@tool
def set_alarm(time: str) -> str:
    """Set an alarm for a time of day (设闹钟)."""
    return time


@tool
def find_train(start: str, destination: str) -> str:
    """Find trains from one station to another (查火车)."""
    return f"{start}-{destination}"


@tool
def appointments(day: str) -> str:
    """The appointments in the calendar on a day (日程)."""
    return day


@tool
def unpaid_invoices(customer: str) -> str:
    """The invoices that a customer has not paid yet (未付发票)."""
    return customer


@tool(effect="once")
def send_letter(customer: str, text: str) -> str:
    """Send a letter to a customer by mail (寄信)."""
    return customer + text


def _folder(files: Mapping[str, str], place: Path) -> Path:
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text, "utf-8")
    return place


@contextmanager
def crews() -> Iterator[dict[str, Crew]]:
    """All crews by name; their documents are there until the end."""
    host = Agent("host", "Answer in plain words.")
    root = HERE.parent.parent
    with tempfile.TemporaryDirectory() as folder:
        handbook = Documents(
            _folder(HANDBOOK, Path(folder) / "handbook"), about="The handbook of an office and its machines."
        )
        leases = Documents(
            _folder(LEASES, Path(folder) / "leases"), about="The lease and the rules of a house."
        )
        yield {
            "talker": Crew(name="talker", agents=[host]),
            "library": Crew(
                name="library", agents=[Agent("clerk", "Find passages.", tools=handbook.tools()), host]
            ),
            "shop": Crew(
                name="shop",
                agents=[
                    Agent("clerk", "Know prices.", tools=[price, opening_hours, convert_currency, calculate]),
                    host,
                ],
            ),
            "butler": Crew(
                name="butler",
                agents=[
                    Agent(
                        "butler",
                        "Do things at home.",
                        tools=[light, weather, send_message, set_alarm, find_train],
                    ),
                    host,
                ],
            ),
            "writers": Crew(
                name="writers", agents=[Agent("author", "Write."), Agent("editor", "Edit what was written.")]
            ),
            "landlord": Crew(
                name="landlord",
                agents=[
                    Agent(
                        "clerk",
                        "Look after tenants.",
                        tools=[appointments, unpaid_invoices, send_letter, calculate, *leases.tools()],
                    ),
                    host,
                ],
            ),
            "countries": load_crew(str(root / "examples" / "countries.py")),
            "manual": load_crew(str(root / "examples" / "manual.py")),
            "observatory": load_crew(str(root / "benchmarks" / "unseen" / "crew.py")),
        }
