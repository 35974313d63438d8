"""What the tests of crew files share: a folder with a shop in it, and an interpreter that forgets it afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crewgraph.runtime.errors import InvalidCrew
from crewgraph.serving.crewfile import load_crew

SHOP = '''
from typing import Literal

from pydantic import BaseModel

from crewgraph import tool


class Report(BaseModel):
    title: str


@tool(unit="EUR")
def price(item: Literal["pen", "ink"]) -> float:
    """The price of an item."""
    return {"pen": 12.5, "ink": 6.0}[item]


@tool(effect="once")
def order(item: str) -> str:
    """Order an item."""
    return f"ordered {item}"


def plain(n: int) -> int:
    """Twice a number."""
    return 2 * n


BOTH = [price, order]
NUMBER = 7
'''

CREW = """\
name: shop
agents:
  - role: clerk
    goal: Know prices.
    tools: [shop_parts:price, calculate]
    may: [read_only]
  - role: writer
    goal: Answer.
tasks:
  - {id: a, description: the price of a pen, tool: price, args: {item: pen}, agent: clerk}
  - description: the price of ink
    tool: price
    args: {item: ink}
    depends_on: [a]
"""


@pytest.fixture(autouse=True)
def same_interpreter() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("crewgraph_crewfile_") or name in {"shop_parts", "broken_parts"}:
            del sys.modules[name]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop_parts.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def written(shop: Path) -> Callable[..., Path]:
    """A crew file beside the shop."""

    def write(text: str, name: str = "crew.yaml") -> Path:
        file = shop / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def refusal() -> Callable[[Path], str]:
    """What is said of a file that cannot be used: one sentence."""

    def refused(file: Path) -> str:
        with pytest.raises(InvalidCrew) as caught:
            load_crew(file)
        message = str(caught.value)
        assert "\n" not in message
        assert message.endswith(".")
        assert message.count(str(file)) == 1
        return message.removeprefix(f"{file}, ")

    return refused
