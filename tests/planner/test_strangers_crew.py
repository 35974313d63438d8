"""A crew of a domain that nobody here thought of is planned right: enumerations, references by type, history."""

from __future__ import annotations

from typing import Any

import pytest

from crewgraph import Crew, Task
from crewgraph.planner.checking.checker import check
from crewgraph.planner.strategies.rules import by_rules

Calls = list[tuple[str, dict[str, Any]]]


def calls(crew: Crew, request: str, earlier: str = "") -> Calls:
    plan = by_rules(crew, request, earlier=earlier)
    assert check(plan.tasks, crew) == []
    return [(t.tool, t.args) for t in plan.tasks if t.tool]


def weight(amount: float, source: str, target: str) -> Calls:
    return [("convert_weight", {"amount": amount, "from_unit": source, "to_unit": target})]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("How many pounds are 5 kilograms?", weight(5, "kg", "lb")),
        ("Convert 12 ounces to kilograms", weight(12, "oz", "kg")),
        ("5 kg in pounds", weight(5, "kg", "lb")),
        ("How much is 3 lb in kg?", weight(3, "lb", "kg")),
        ("Convert 2.5 lb to oz", weight(2.5, "lb", "oz")),
        ("把5千克换算成磅", weight(5, "kg", "lb")),
        ("5千克是多少磅？", weight(5, "kg", "lb")),
        ("Please turn into ounces: 7 pounds", weight(7, "lb", "oz")),
    ],
)
def test_units_given_and_asked_for_are_told_apart(shop: Crew, request_: str, wanted: Calls) -> None:
    assert calls(shop, request_) == wanted


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("What does a pen cost?", [("price", {"item": "pen"})]),
        ("钢笔多少钱？", [("price", {"item": "pen"})]),
        ("When do you open on Sunday?", [("opening_hours", {"day": "sunday"})]),
        ("星期天几点开门？", [("opening_hours", {"day": "sunday"})]),
        (
            "What are the opening hours on monday and on friday?",
            [("opening_hours", {"day": "monday"}), ("opening_hours", {"day": "friday"})],
        ),
        ("What is 12 * 7?", [("calculate", {"expression": "12 * 7"})]),
        ("What is seven times eight?", [("calculate", {"expression": "7 * 8"})]),
        ("Convert 100 euros to USD", [("convert_currency", {"amount": 100, "to": "USD"})]),
        ("Tell me about philosophy", []),
        ("What happened on 2024-05-01?", []),
    ],
)
def test_one_tool_is_called_where_one_is_asked_for(shop: Crew, request_: str, wanted: Calls) -> None:
    assert calls(shop, request_) == wanted


@pytest.mark.parametrize("request_", ["What does a pen cost in CNY?", "How much is a pen in CNY?"])
def test_a_result_flows_into_the_next_call_by_its_type(shop: Crew, request_: str) -> None:
    assert calls(shop, request_) == [
        ("price", {"item": "pen"}),
        ("convert_currency", {"to": "CNY", "amount": "$t1.value"}),
    ]


@pytest.mark.parametrize(
    ("request_", "items", "join"),
    [
        ("Which costs more, a pen or a stamp?", ["pen", "stamp"], "compare"),
        ("Is the pen cheaper than the glue and by how much?", ["pen", "glue"], "compare"),
        ("Total price of a pen, ink and glue", ["pen", "ink", "glue"], "total"),
        ("钢笔和墨水一共多少钱？", ["pen", "ink"], "total"),
        ("钢笔比墨水贵多少？", ["pen", "ink"], "compare"),
        ("The ratio of the pen's price to that of the ink", ["pen", "ink"], "ratio"),
        ("The ratio of the prices of pen, ink and glue", ["pen", "ink", "glue"], "compare"),
    ],
)
def test_figures_that_belong_together_are_joined(
    shop: Crew, request_: str, items: list[str], join: str
) -> None:
    found = calls(shop, request_)
    assert found[:-1] == [("price", {"item": item}) for item in items]
    assert found[-1] == (join, {"facts": [f"$t{n}" for n in range(1, len(items) + 1)]})


def test_each_call_goes_to_an_agent_who_may_make_it_and_the_last_agent_answers(shop: Crew) -> None:
    plan = by_rules(shop, "What does a pen cost in CNY?")
    assert [t.agent for t in plan.tasks] == ["clerk", "banker", "host"]
    assert plan.tasks[-1].needs[-1] == "t2"
    assert plan.strategy == "rules"
    assert any("takes what another call gives" in note for note in plan.notes)


def test_where_no_tool_fits_that_is_said(shop: Crew) -> None:
    plan = by_rules(shop, "Tell me about philosophy")
    assert plan.strategy == "direct"
    assert plan.notes == (
        "No tool of this crew fits the request, so the model answers by itself, without evidence.",
    )


def test_a_follow_up_takes_over_what_it_leaves_unsaid(shop: Crew) -> None:
    assert calls(shop, "And a ruler?", earlier="What does a pen cost?") == [("price", {"item": "ruler"})]
    assert calls(shop, "What about Friday?", earlier="When do you open on Sunday?") == [
        ("opening_hours", {"day": "friday"})
    ]


def test_an_authored_outline_is_kept_and_its_calls_filled_in(shop: Crew) -> None:
    crew = Crew(
        shop.agents,
        tasks=[
            Task(id="ask", description="Look up the prices.", agent="clerk"),
            Task(id="say", description="Compare the prices.", agent="host", depends_on=("ask",)),
        ],
    )
    plan = by_rules(crew, "Tell me about the pen and the glue")
    assert check(plan.tasks, crew) == []
    assert [(t.id, t.tool) for t in plan.tasks] == [
        ("ask-1", "price"),
        ("ask-2", "price"),
        ("ask", None),
        ("say-1", "compare"),
        ("say", None),
    ]
    assert plan.tasks[3].args == {"facts": ["$ask-1", "$ask-2"]}
    assert plan.tasks[4].needs == ("ask", "say-1")
