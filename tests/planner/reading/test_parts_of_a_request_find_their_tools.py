"""A request that asks for several things gets a call for each, in the order said, handed on by names and types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from crewgraph import Agent, Crew, tool
from crewgraph.planner.asked import Example
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import wrong
from crewgraph.planner.reading.shortlist import shortlist
from crewgraph.planner.strategies.rules import by_rules
from crewgraph.runtime.graph import Task


class Rendering(BaseModel):
    """A text in another language."""

    translated_text: str


class Quote(BaseModel):
    """What something costs."""

    ticket_id: str
    total_price: float


@tool
def translate(text: str, target_language: str) -> Rendering:
    """Translate a text into another language.

    Args:
        text: The text.
        target_language: The language into which it is translated.
    """
    return Rendering(translated_text=text)


@tool(effect="once")
def send_message(recipient: str, message: str) -> str:
    """Send a message to somebody.

    Args:
        recipient: Who gets it.
        message: What it says.
    """
    return ""


@tool
def search_ticket(destination: str) -> Quote:
    """Search for a ticket to a city.

    Args:
        destination: The city.
    """
    return Quote(ticket_id="", total_price=0)


@tool(effect="once")
def book_ticket(ticket_id: str) -> str:
    """Book a ticket that was found.

    Args:
        ticket_id: The id of the ticket.
    """
    return ""


@tool
def humidity(city: str) -> str:
    """The humidity in a city.

    Args:
        city: The city.
    """
    return ""


@tool
def temperature(city: str) -> str:
    """The temperature in a city (气温).

    Args:
        city: The city.
    """
    return ""


@pytest.fixture(scope="module")
def desk() -> Crew:
    tools = [translate, send_message, search_ticket, book_ticket, humidity, temperature]
    return Crew([Agent("clerk", "Do what guests ask.", tools=tools)], name="desk")


def calls(crew: Crew, request: str, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    plan = by_rules(crew, request, **more)
    assert wrong(check(plan.tasks, crew)) == []
    return [(t.tool, t.args) for t in plan.tasks if t.tool]


def test_each_part_gets_its_tool(desk: Crew) -> None:
    assert calls(desk, "What is the temperature in Oslo? Also, translate 'good night' to French.") == [
        ("temperature", {"city": "Oslo"}),
        ("translate", {"text": "good night", "target_language": "French"}),
    ]


def test_tools_that_stand_in_a_row_are_all_called(desk: Crew) -> None:
    assert sorted(calls(desk, "Tell me the temperature and the humidity in Ghent.")) == [
        ("humidity", {"city": "Ghent"}),
        ("temperature", {"city": "Ghent"}),
    ]


def test_a_result_that_is_spoken_of_is_handed_on(desk: Crew) -> None:
    found = calls(desk, "Translate 'good night' to French, then send the translated text to Ada.")
    assert found == [
        ("translate", {"text": "good night", "target_language": "French"}),
        ("send_message", {"recipient": "Ada", "message": "$t1.translated_text"}),
    ]


def test_what_a_call_lacks_is_taken_from_the_call_that_gives_it(desk: Crew) -> None:
    found = calls(desk, "Search a ticket to Basle and book it.")
    assert found == [
        ("search_ticket", {"destination": "Basle"}),
        ("book_ticket", {"ticket_id": "$t1.ticket_id"}),
    ]


def test_what_comes_after_by_its_words_waits(desk: Crew) -> None:
    plan = by_rules(desk, "Tell me the temperature in Oslo, then translate 'good night' to French.")
    assert [t.tool for t in plan.tasks if t.tool] == ["temperature", "translate"]
    assert plan.tasks[1].needs == ("t1",)


@pytest.mark.parametrize(
    "request_", ["Tell me about messages", "I had a message from Ada", "Was the ticket t17 expensive?", "Ada"]
)
def test_what_changes_something_is_never_called_on_a_guess(desk: Crew, request_: str) -> None:
    assert not {"send_message", "book_ticket"} & {name for name, _ in calls(desk, request_)}


def test_it_works_in_chinese(desk: Crew) -> None:
    assert calls(desk, "北京的气温是多少？") == [("temperature", {"city": "北京"})]


def test_plans_that_worked_tell_between_tools_and_bring_what_nobody_says(desk: Crew) -> None:
    def past(request: str) -> Example:
        tasks = (
            Task(id="t1", description="", agent="clerk", tool="humidity", args={"city": "Rome"}),
            Task(id="t2", description="", agent="clerk", tool="temperature", args={"city": "Rome"}),
        )
        return Example(request, tasks, 0.9)

    request = "What is the temperature in Ghent?"
    assert [name for name, _ in calls(desk, request)] == ["temperature"]
    examples = [past("What is the temperature in Rome?"), past("Temperature in Bern?")]
    assert [name for name, _ in calls(desk, request, examples=examples)] == ["humidity", "temperature"]


def test_a_shortlist_holds_the_tools_that_are_spoken_of(desk: Crew) -> None:
    tools = [t for t in desk.toolset.values() if not t.combines]
    assert shortlist("Please translate this for me", tools, 1) == [translate]
    assert shortlist("reserve a ticket", tools, 1) == [book_ticket]  # another word for the same act
    assert shortlist("zzz", tools, 3) == []
    assert len(shortlist("the temperature and the humidity in a city", tools, 2)) == 2


@given(st.text(max_size=160))
def test_any_request_makes_a_valid_plan(text: str) -> None:
    tools = [translate, send_message, search_ticket, book_ticket, humidity, temperature]
    crew = Crew([Agent("clerk", "Do what guests ask.", tools=tools)], name="desk")
    assert wrong(check(by_rules(crew, text).tasks, crew)) == []


@pytest.mark.parametrize(
    "piece", ["What is the temperature in Oslo? ", "a, B c 5 and ", "x^2+", "1 ", "气温", "'\""]
)
def test_a_request_of_a_hundred_thousand_characters_is_planned(desk: Crew, piece: str) -> None:
    request = (piece * (100_000 // len(piece) + 1))[:100_000]
    assert len(calls(desk, request)) <= 24
