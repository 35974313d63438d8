"""Tools of langchain-core are taken as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from langchain_core.tools import StructuredTool, ToolException
from langchain_core.tools import tool as langchain_tool

from crewgraph import Agent, Crew
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError, ToolError
from crewgraph.tools.toolset import Toolset, as_tool


@langchain_tool
def book_table(place: Literal["terrace", "hall"], guests: int) -> str:
    """Book a table in a restaurant."""
    return f"{guests} in the {place}"


async def test_name_description_arguments_and_result_are_theirs() -> None:
    taken = as_tool(book_table)
    assert (taken.name, taken.description) == ("book_table", "Book a table in a restaurant.")
    assert taken.origin is book_table
    assert [o.value for o in taken.options["place"]] == ["terrace", "hall"]
    assert await taken.call({"place": "hall", "guests": 4}) == "4 in the hall"


async def test_their_wrong_arguments_come_back_as_ours_do() -> None:
    taken = as_tool(book_table)
    with pytest.raises(ToolArgumentError, match=r"place='terace' is not known; did you mean terrace\?"):
        await taken.call({"place": "terace", "guests": 4})


def test_they_are_not_run_twice_unless_their_owner_says_so() -> None:
    taken = as_tool(book_table)
    assert taken.effect == "once"
    assert Toolset([replace(taken, effect="read_only")])["book_table"].effect == "read_only"


async def test_async_and_structured_tools_work_too() -> None:
    async def fetch(n: int) -> dict[str, int]:
        return {"n": n + 1}

    taken = as_tool(
        StructuredTool.from_function(coroutine=fetch, name="fetch", description="Fetch a number.")
    )
    assert await taken.call({"n": 1}) == {"n": 2}


async def test_their_failure_is_a_tool_error_where_a_second_call_does_no_harm() -> None:
    @langchain_tool
    def fails(n: int) -> str:
        """Fail."""
        raise OSError("the kitchen is closed")

    taken = replace(as_tool(fails), effect="read_only")
    with pytest.raises(ToolError, match="fails failed: OSError: the kitchen is closed"):
        await taken.call({"n": 1})
    with pytest.raises(OSError, match="the kitchen is closed") as left_open:
        await as_tool(fails).call({"n": 1})
    assert left_open.value.__notes__ == [
        "in the tool fails, which is called once: it may have happened all the same"
    ]


async def test_their_own_exception_says_that_nothing_happened() -> None:
    @langchain_tool
    def refuses(n: int) -> str:
        """Refuse."""
        raise ToolException("fully booked")

    with pytest.raises(ToolError, match="The tool refuses failed: fully booked"):
        await as_tool(refuses).call({"n": 1})


def test_two_agents_and_the_crew_share_one() -> None:
    host, waiter = (
        Agent("host", "Seat guests.", tools=[book_table]),
        Agent("waiter", "Serve.", tools=[book_table]),
    )
    crew = Crew([host, waiter], tools=[book_table])
    assert "book_table" in crew.toolset
    assert crew.toolset["book_table"].origin is book_table
    assert [a.role for a in crew.holders(crew.toolset["book_table"])] == ["host", "waiter"]


def test_another_tool_of_the_same_name_is_refused() -> None:
    @langchain_tool("book_table")
    def other(guests: int) -> str:
        """Another."""
        return ""

    with pytest.raises(InvalidCrew, match="Two tools are called 'book_table'"):
        Crew([Agent("a", "A.", tools=[book_table]), Agent("b", "B.", tools=[other])])
