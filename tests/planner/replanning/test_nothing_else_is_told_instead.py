"""An answer from elsewhere is one to the same question, or there is none: what only looks alike is no alternative."""

from __future__ import annotations

from typing import Literal

import pytest

from crewgraph import Agent, Crew, Tool, tool
from crewgraph.planner.replanning.alternatives import same_tools
from crewgraph.planner.replanning.failure import Failure, undone
from crewgraph.planner.replanning.options import slip
from crewgraph.tools.planning import Traits


def made(
    name: str, *, gives: str = "", effect: Literal["read_only", "once"] = "read_only", about: str = ""
) -> Tool:
    """A tool of one place that gives a number."""

    async def fn(place: str) -> float:
        return 1.0

    fn.__doc__ = about or f"Tell about a place, the {name.replace('_', ' ')}."
    return tool(name=name, effect=effect, traits=Traits(gives=gives))(fn)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("price", "backup_price"),
        ("get_price", "fetch_price"),
        ("price", "price_v2"),
        ("readPrice", "price_mirror"),
    ],
)
def test_the_same_from_elsewhere_is_an_alternative(one: str, other: str) -> None:
    tools = [made(one), made(other)]
    assert list(same_tools(tools[0], Crew([Agent("a", "Work.", tools=tools)]))) == [tools[1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("price", "weight"),
        ("population", "population_density"),
        ("flight_price", "hotel_price"),
        ("first_author", "second_author"),
        ("primary_schools", "secondary_schools"),
        ("old_price", "new_price"),
    ],
)
def test_something_else_of_the_same_type_is_none(one: str, other: str) -> None:
    tools = [made(one), made(other)]
    assert list(same_tools(tools[0], Crew([Agent("a", "Work.", tools=tools)]))) == []


def test_what_a_tool_says_it_gives_counts_more_than_its_name() -> None:
    same = [made("quote", gives="the price of a share"), made("ticker", gives="price of a share")]
    other = [made("price", gives="the price of a share"), made("backup_price", gives="the price of a house")]
    assert list(same_tools(same[0], Crew([Agent("a", "Work.", tools=same)]))) == [same[1]]
    assert list(same_tools(other[0], Crew([Agent("a", "Work.", tools=other)]))) == []


def test_what_has_an_effect_does_not_stand_in_for_what_has_none() -> None:
    tools = [made("price"), made("backup_price", effect="once")]
    assert list(same_tools(tools[0], Crew([Agent("a", "Work.", tools=tools)]))) == []


@pytest.mark.parametrize(
    ("said", "right"), [("aba", "Aba"), ("new-york", "New York"), ("Lodnon", "London"), ("Londn", "London")]
)
def test_a_slip_of_the_pen_is_one_name(said: str, right: str) -> None:
    assert slip(said, right)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Austria", "Australia"),
        ("Iran", "Iraq"),
        ("Niger", "Nigeria"),
        ("ABC1", "ABC2"),
        ("pen", "pan"),
        ("", "x"),
    ],
)
def test_another_name_is_no_slip(said: str, right: str) -> None:
    assert not slip(said, right)


@pytest.mark.parametrize(
    ("code", "why", "kind"),
    [
        ("tool_failed", "The tool x took longer than 3 s.", "passing"),
        ("tool_failed", "The tool x failed: ConnectionResetError: peer", "passing"),
        ("tool_failed", "The tool x failed: HTTPError: 503 Service Unavailable", "passing"),
        ("task_failed", "it took longer than 2 seconds", "passing"),
        ("engine_busy", "no seat", "passing"),
        ("tool_failed", "The tool x failed: KeyError: 'y'", "failed"),
        ("tool_arguments", "x: y is missing", "arguments"),
        ("surprise", "it took longer than was expected", "surprise"),
        ("rejected", "no", "rejected"),
    ],
)
def test_failures_are_told_apart_by_what_a_journal_keeps(code: str, why: str, kind: str) -> None:
    assert Failure.of(code, why).kind == kind


def test_only_what_certainly_did_not_happen_is_done_in_another_way() -> None:
    once = made("pay", effect="once")
    assert undone(Failure.of("tool_failed", "The till is closed"), once)
    assert undone(Failure.of("tool_arguments", "place is missing"), once)
    for code in ("surprise", "task_failed", "internal_error", "rejected"):
        assert not undone(Failure.of(code, "it took longer than 2 seconds"), once)
    assert undone(Failure.of("surprise", "empty"), made("price"))
