"""A plan over its budget is refused with the cheapest alternative; a guess forbids nothing."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph import Agent, Budget, Crew, Task, tool
from crewgraph.planner.checking.checker import check
from crewgraph.planner.estimating.affordable import cheapest, over_budget, refuse
from crewgraph.planner.estimating.estimate import estimate
from crewgraph.planner.estimating.measures import Known, Measured, of_agent, of_tool
from crewgraph.planner.plan import listed, wrong
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.graph import TaskGraph


@tool
def look(at: str = "") -> str:
    """Look something up."""
    return at


@tool(effect="once")
def send(to: str = "") -> str:
    """Send something."""
    return to


CREW = Crew(agents=[Agent("clerk", "Look.", tools=[look, send]), Agent("host", "Answer.")])
PAST = Known({of_tool("look"): Measured(9, 2.0), of_agent("host", "writing"): Measured(9, 4.0, 0, 300, 0.5)})


def task(id: str, *after: str, **more: object) -> Task:
    who = "clerk" if "tool" in more else "host"
    return Task.model_validate({"id": id, "description": id, "agent": who, "depends_on": after} | more)


def said(tasks: list[Task], budget: Budget, past: Known = PAST) -> str:
    return listed(wrong(over_budget(estimate(tasks, CREW, past), budget, tasks, CREW)))


PLAN = [
    task("a", tool="look"),
    task("more", tool="look", optional=True, each=["x", "y"], args={"at": "$item"}),
    task("extra", "more", optional=True),
    task("answer", "a", "extra"),
]


def test_the_alternative_leaves_out_what_is_optional_and_says_what_it_comes_to() -> None:
    assert said(PLAN, Budget(tokens=400)) == (
        "The plan: it is thought to take 600 tokens, and the budget allows 400 tokens; "
        "leave out more and extra, which makes it 300 tokens, or allow 600 tokens."
    )
    assert "leave out more, which makes it 1 tool call, or allow 3 tool calls" in said(
        PLAN, Budget(tool_calls=2)
    )
    assert "allow 10 s" in said(PLAN, Budget(seconds=8))
    assert "allow 1 of money" in said(PLAN, Budget(money=0.9))


def test_a_plan_that_fits_has_no_finding_and_stays_as_it_is() -> None:
    whole = estimate(PLAN, CREW, PAST)
    budget = Budget(tokens=600, seconds=10, tool_calls=3, money=1.0)
    assert over_budget(whole, budget, PLAN, CREW) == []
    assert cheapest(PLAN, CREW, whole, budget) == tuple(PLAN)


def test_where_nothing_can_be_left_out_the_budget_that_would_do_is_named() -> None:
    strict = [t.model_copy(update={"optional": False}) for t in PLAN]
    assert "; allow 600 tokens, or ask for less." in said(strict, Budget(tokens=400))
    assert "leaving out what is optional is not enough: allow 600 tokens." in said(PLAN, Budget(tokens=299))
    assert cheapest(PLAN, CREW, estimate(PLAN, CREW, PAST), Budget(tokens=299)) is None


def test_no_more_is_left_out_than_has_to_be() -> None:
    tasks = [task(f"o{n}", optional=True) for n in range(4)]
    tasks.append(task("answer", *(t.id for t in tasks)))
    left = cheapest(tasks, CREW, estimate(tasks, CREW, PAST), Budget(tokens=900))
    assert left is not None
    assert len(left) == 3


def test_a_guess_is_noted_and_forbids_nothing() -> None:
    found = over_budget(estimate(PLAN, CREW), Budget(tokens=1, seconds=0.01), PLAN, CREW)
    assert [finding.severity for finding in found] == ["note", "note"]
    assert all("guess" in finding.problem for finding in found)
    assert said(PLAN, Budget(tool_calls=0), Known({})) != "", (
        "calls that the plan binds are counted, not guessed"
    )


def test_a_list_that_only_the_run_will_show_forbids_nothing() -> None:
    tasks = [task("a", tool="look"), task("all", tool="look", each="$a", args={"at": "$item"})]
    assert said(tasks, Budget(tool_calls=1)) == ""
    assert said(tasks, Budget(tool_calls=0)) != ""


def test_an_effect_is_never_left_out_with_what_it_was_for() -> None:
    tasks = [
        task("letter", tool="send"),
        task("sum", "letter", optional=True),
        task("answer", "sum"),
    ]
    left = cheapest(tasks, CREW, estimate(tasks, CREW, PAST), Budget(tokens=300))
    assert left is not None
    assert [t.id for t in left] == ["letter", "answer"]
    assert left[1].needs == ("letter",)


def test_what_others_refer_to_is_not_left_out_under_them() -> None:
    tasks = [task("a", optional=True), task("b", tool="look", args={"at": "$a"}), task("answer", "b")]
    assert cheapest(tasks, CREW, estimate(tasks, CREW, PAST), Budget(tokens=300)) is None


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    tasks: list[Task] = []
    for number in range(draw(st.integers(0, 6))):
        ids = [t.id for t in tasks]
        after = sorted(draw(st.sets(st.sampled_from(ids), max_size=2))) if ids else []
        more: dict[str, object] = {"optional": draw(st.booleans())}
        if draw(st.booleans()):
            more["tool"] = draw(st.sampled_from(["look", "send"]))
            if ids and more["tool"] == "look" and draw(st.booleans()):
                more["args"] = {"at": f"${draw(st.sampled_from(ids))}"}
        tasks.append(task(f"t{number}", *after, **more))
    loose = TaskGraph(tasks).sinks()
    return [*tasks, task("answer", *loose)]


BUDGETS = st.builds(
    Budget,
    tokens=st.none() | st.integers(0, 1500),
    tool_calls=st.none() | st.integers(0, 5),
    seconds=st.none() | st.integers(0, 20),
)


@given(plans(), BUDGETS)
def test_an_alternative_is_valid_fits_and_is_found_wherever_there_is_one(
    tasks: list[Task], budget: Budget
) -> None:
    whole = estimate(tasks, CREW, PAST)
    left = cheapest(tasks, CREW, whole, budget)
    optional = [t.id for t in tasks if t.optional]
    if left is None:
        # Not even all that could be left out at all is enough: tried over every choice of what is optional.
        for out in chain.from_iterable(combinations(optional, n) for n in range(len(optional) + 1)):
            kept = [t for t in tasks if t.id not in out]
            if any(set(t.refers_to) & set(out) for t in kept):
                continue
            kept = [
                t.model_copy(update={"depends_on": tuple(d for d in t.depends_on if d not in out)})
                for t in kept
            ]
            dead = len(TaskGraph(kept).sinks()) > 1
            assert dead or wrong(over_budget(estimate(kept, CREW, PAST), budget, kept, CREW))
        return
    assert wrong(over_budget(estimate(left, CREW, PAST), budget, left, CREW)) == []
    assert left[-1].id == "answer"
    assert not [f for f in check(left, CREW) if "nothing uses" in f.problem]
    gone = {t.id for t in tasks} - {t.id for t in left}
    assert not [t for t in tasks if t.id in gone and t.tool == "send" and not t.optional]


def test_a_refusal_is_one_sentence_and_a_note_is_none() -> None:
    whole = estimate(PLAN, CREW, PAST)
    with pytest.raises(InvalidPlan) as refused:
        refuse(over_budget(whole, Budget(tokens=400, tool_calls=2), PLAN, CREW))
    assert str(refused.value) == (
        "The plan is over its budget: it is thought to take 3 tool calls, and the budget allows 2 tool calls: "
        "leave out more and extra, which makes it 1 tool call, or allow 3 tool calls; "
        "it is thought to take 600 tokens, and the budget allows 400 tokens: "
        "leave out more and extra, which makes it 300 tokens, or allow 600 tokens."
    )
    refuse(over_budget(estimate(PLAN, CREW), Budget(tokens=1), PLAN, CREW))
