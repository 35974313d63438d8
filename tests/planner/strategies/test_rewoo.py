"""Plans in plain text: read as kindly as can be, with typed references, and checked as all are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph import Crew
from crewgraph.agents.testing import ScriptedModel
from crewgraph.planner.asked import Asked, Example, SoFar
from crewgraph.planner.strategies.rewoo import ReWOO
from crewgraph.planner.strategies.strategy import Strategy
from crewgraph.planner.strategies.written.lines import calls_in, line_of
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.graph import Task, TaskResult

from .conftest import shapes


def items(text: str, crew: Crew) -> list[tuple[str, dict[str, object]]]:
    found, findings = calls_in(text, crew, (), 1, 9)
    assert not findings, findings
    return [(item["tool"], item["args"]) for item in found]


PEN = ("price", {"item": "pen"})


@pytest.mark.parametrize(
    "line",
    [
        "#E1 = price[item=pen]",
        "#E1 = price[pen]",
        "E1: price(pen)",
        "- #E1 = `price`[item: 'pen']",
        '#E1 = Price[{"item": "pen"}]',
        "Plan: look up the price.\n  #E1 = price[ Pen ]  # easy",
        'Thought first. Then:\n> #E1 = price["pen"',
    ],
)
def test_one_call_however_it_is_written(shop: Crew, line: str) -> None:
    assert items(line, shop) == [PEN]


def test_evidence_becomes_a_reference_by_its_type(shop: Crew) -> None:
    text = """Plan: first the price
#E1 = price[pen]
#E2 = convert_currency[#E1, CNY]
#E3 = convert_currency[to=USD, amount=#E1.value]
#E4 = compare[#E2, #E3]
#E5 = compare[[#E2, #E3]]
#E6 = compare[{"facts": [#E2, "#E3"]}]
#E7 = calculate[(1 + 2) * 3, rounded]"""
    read = items(text.rsplit("\n", 1)[0], shop)
    assert read[1:3] == [
        ("convert_currency", {"amount": "$t1.value", "to": "CNY"}),
        ("convert_currency", {"to": "USD", "amount": "$t1.value"}),
    ]
    assert [args for _, args in read[3:]] == [{"facts": ["$t2", "$t3"]}] * 3


def test_values_have_their_types(choir: Crew) -> None:
    assert items("#E1 = pay[30, 2.5]\n#E2 = roster[Ghent, the old town]\n#E3 = phone[O'Neil]", choir) == [
        ("pay", {"age": 30, "hours": 2.5}),
        ("roster", {"town": "Ghent, the old town"}),
        ("phone", {"name": "O'Neil"}),
    ]


@given(st.text(alphabet="#E12=[](){},:'\" .abprice\n", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    from .test_schema import _choir

    found, findings = calls_in(text, _choir(), (), 1, 5)
    assert found or findings


async def test_a_plan_in_words_is_a_plan_like_all(choir: Crew, ctx: RunContext) -> None:
    model = ScriptedModel(["#E1 = roster[Ghent]\n#E2 = phone[#E1.town]"])
    strategy = ReWOO(model)
    assert isinstance(strategy, Strategy)
    plan = await strategy.plan(Asked(choir, "Who?"), ctx)
    assert shapes(plan.tasks) == [
        ("t1", "roster", {"town": "Ghent"}),
        ("t2", "phone", {"name": "$t1.town"}),
        ("answer", None, {}),
    ]
    assert plan.strategy == "rewoo"
    assert not model.requests[0].constrained


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("I would look it up.", "there is no call in it"),
        ("#E1 = rooster[Ghent]", "there is no tool 'rooster'"),
        ("#E1 = roster[Ghent]\n#E2 = phone[the first of #E1]", "name has a result within a text"),
        ("#E1 = phone[#E4]", "#E4 is not there before it"),
        ("#E1 = roster[Ghent]\n#E2 = pay[#E1.town]", "Task #E2: age"),
    ],
)
async def test_what_cannot_be_read_or_carried_out_is_told_in_its_own_words(
    choir: Crew, ctx: RunContext, wrong: str, said: str
) -> None:
    model = ScriptedModel([wrong, "#E1 = roster[Ghent]"])
    plan = await ReWOO(model).plan(Asked(choir, "Who?"), ctx)
    assert [task.tool for task in plan.tasks] == ["roster", None]
    assert said in model.requests[1].messages[-1].content
    with pytest.raises(InvalidPlan, match="stayed wrong after 1 repairs"):
        await ReWOO(ScriptedModel([wrong] * 2), repairs=1).plan(Asked(choir, "Who else?"), ctx)


async def test_examples_and_what_is_done_are_shown_in_the_same_form(choir: Crew, ctx: RunContext) -> None:
    done = Task(id="t1", description="", tool="roster", agent="manager", args={"town": "Ghent"})
    dead = Task(id="t2", description="", tool="phone", agent="secretary", args={"name": "Ada"})
    assert line_of(done, choir) == '#E1 = roster[town="Ghent"]'
    follow = Task(id="t2", description="", tool="phone", args={"name": "$t1.town"})
    example = Example("Bruges?", (done, follow, Task(id="answer", description="", depends_on=("t2",))))
    before = SoFar(
        (done, dead), {"t1": TaskResult(value={}, text="-")}, {"t2": "dead"}, "Task t2 failed: dead."
    )
    model = ScriptedModel(["#E2 = pay[3]\n#E3 = phone[#E1.town]"])
    plan = await ReWOO(model).plan(Asked(choir, "Who?", examples=[example], so_far=before), ctx)
    assert [(t.id, t.args) for t in plan.tasks[:-1]] == [
        ("t1", {"town": "Ghent"}),
        ("t2", {"age": 3}),
        ("t3", {"name": "$t1.town"}),
    ]
    messages = model.requests[0].messages
    assert messages[2].content == '#E1 = roster[town="Ghent"]\n#E2 = phone[name=#E1.town]'
    assert "#E1 = roster(" in messages[-1].content
