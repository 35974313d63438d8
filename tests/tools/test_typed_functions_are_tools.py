"""A typed function with a docstring is a tool: its schema, its words, and what is refused."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from crewgraph import Fact, tool
from crewgraph.runtime.errors import InvalidCrew, ToolError
from crewgraph.tools.tool import Tool
from crewgraph.tools.toolset import Toolset


class Size(Enum):
    small = "S"
    large = "L"


@tool
def wrap(
    item: str, size: Size, copies: Annotated[int, Field(ge=1, le=9)] = 1, ribbon: bool | None = None
) -> str:
    """Wrap an item as a present.
    It is done by hand.

    Args:
        item (str): What is wrapped,
            however odd its shape.
        size: The box.
        copies: How many.

    Returns:
        What the label says.
    """
    return f"{copies} × {item} in {size.value}"


def test_the_schema_comes_from_hints_and_docstring() -> None:
    schema = wrap.parameters
    assert wrap.name == "wrap"
    assert wrap.description == "Wrap an item as a present. It is done by hand."
    assert schema["required"] == ["item", "size"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["item"]["description"] == "What is wrapped, however odd its shape."
    assert properties["size"]["description"] == "The box."
    assert (properties["copies"]["minimum"], properties["copies"]["maximum"]) == (1, 9)
    assert "description" not in properties["ribbon"]
    assert [o.value for o in wrap.options["size"]] == ["S", "L"]


async def test_sync_and_async_functions_are_called_alike() -> None:
    @tool
    async def shout(text: str) -> dict[str, str]:
        """Shout a text."""
        return {"loud": text.upper()}

    @tool
    def whisper(text: str) -> dict[str, str]:
        """Whisper a text."""
        return {"quiet": text.lower()}

    assert await shout.call({"text": "Hey"}) == {"loud": "HEY"}
    assert await whisper.call({"text": "Hey"}) == {"quiet": "hey"}
    assert (await wrap.call({"item": "kite", "size": "L", "copies": 2}))["value"] == "2 × kite in L"


class Quote(BaseModel):
    amount: float
    currency: Literal["EUR", "CNY"]


async def test_a_result_of_a_model_type_comes_back_as_it_was() -> None:
    @tool
    def quote(item: str) -> Quote:
        """What an item costs."""
        return Quote(amount=2.5, currency="EUR")

    found = await quote.call({"item": "pen"})
    assert found == {"amount": 2.5, "currency": "EUR"}
    assert quote.read(found) == Quote(amount=2.5, currency="EUR")


async def test_bare_numbers_become_facts_that_say_what_they_tell() -> None:
    @tool(unit="°C", names={"metal": {"Fe": ["iron", "铁"]}})
    def get_melting_point(metal: Literal["Fe", "Au"]) -> float:
        """The melting point of a metal."""
        return {"Fe": 1538.0, "Au": 1064.18}[metal]

    fact = get_melting_point.read(await get_melting_point.call({"metal": "Fe"}))
    assert isinstance(fact, Fact)
    assert (fact.label, fact.quantity, fact.value, fact.unit) == ("Fe", "melting point", 1538.0, "°C")
    assert fact.statement("en") == "Fe: melting point 1,538 °C."
    assert fact.statement("zh") == "铁：melting point 1,538 °C。"
    gold = get_melting_point.read(await get_melting_point.call({"metal": "Au"}))
    assert gold.statement("zh") == "Au：melting point 1,064.18 °C。"
    assert gold.evidence("en") == ["Au: melting point 1,064.18 °C [get_melting_point]"]


def no_docstring(n: int) -> int:
    return n


def untyped(n) -> int:  # type: ignore[no-untyped-def]
    """Take anything."""
    return int(n)


def starred(*parts: str) -> str:
    """Join parts."""
    return "".join(parts)


def unknown_type(n: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    """Take what nobody knows."""
    return 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (unknown_type, "A type of the tool 'unknown_type' cannot be read .*'Nowhere' is not defined"),
        (no_docstring, "'no_docstring' has no docstring"),
        (untyped, "no type for 'n'"),
        (starred, r"takes \*parts"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_mend(function: Any, said: str) -> None:
    with pytest.raises(InvalidCrew, match=said):
        tool(function)


def test_names_that_engines_refuse_are_refused_here() -> None:
    with pytest.raises(InvalidCrew, match="'my tool' is not usable"):

        @tool(name="my tool")
        def mine() -> int:
            """Something."""
            return 1


def test_what_is_no_tool_is_told_what_to_do() -> None:
    with pytest.raises(InvalidCrew, match="put @tool above it"):
        Toolset([no_docstring])
    with pytest.raises(InvalidCrew, match="not a tool"):
        Toolset([3])


def test_two_tools_of_one_name_are_refused_and_the_same_one_twice_is_not() -> None:
    @tool(name="wrap")
    def other() -> int:
        """Another."""
        return 1

    assert len(Toolset([wrap, wrap])) == 1
    with pytest.raises(InvalidCrew, match="Two tools are called 'wrap'"):
        Toolset([wrap, other])


async def test_a_tool_that_breaks_is_a_tool_error_that_names_it() -> None:
    @tool
    def broken(n: int) -> int:
        """Divide by nothing."""
        return n // 0

    with pytest.raises(ToolError, match="The tool broken failed: ZeroDivisionError"):
        await broken.call({"n": 1})


def test_a_tool_can_be_kept_in_sets() -> None:
    assert isinstance(wrap, Tool)
    assert len({wrap, wrap}) == 1
