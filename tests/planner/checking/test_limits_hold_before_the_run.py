"""What a plan is thought to take is held against the budget; what a tenant may not use is refused; a plan that is still
being written is checked task by task."""

from __future__ import annotations

import pytest

from crewgraph import Allowance, Budget, Crew, Task
from crewgraph.planner.checking.checker import MAX_TASKS, check, check_next
from crewgraph.planner.checking.repairing import repair_prompt
from crewgraph.planner.plan import Estimate, Finding, TaskEstimate

from .plans import answered, call, said, words

PLAN = answered(call("s", "stock", place="north"), call("b", "balance"))


def estimate(**figures: float) -> Estimate:
    return Estimate(
        **figures, tasks={"s": TaskEstimate(seconds=9, tokens=400, money=0.5), "b": TaskEstimate(seconds=1)}
    )  # type: ignore[arg-type]  # figures of its own types


@pytest.mark.parametrize(
    ("figures", "budget", "words_"),
    [
        (
            {"tokens": 500},
            Budget(tokens=300),
            "thought to take 500 tokens (s alone 400), and the budget allows 300",
        ),
        (
            {"critical_seconds": 10.0},
            Budget(seconds=6),
            "thought to take 10 s (s alone 9), and the budget allows 6",
        ),
        (
            {"money": 0.5},
            Budget(money=0.25),
            "thought to take 0.5 of money (s alone 0.5), and the budget allows 0.25",
        ),
        ({"tool_calls": 12}, Budget(tool_calls=5), "it calls tools 12 times, and the budget allows 5"),
    ],
)
def test_a_plan_over_its_budget_is_refused_in_figures(
    house: Crew, figures: dict[str, float], budget: Budget, words_: str
) -> None:
    (found,) = said(PLAN, house, budget=budget, estimate=estimate(**figures))
    assert words_ in found
    assert said(PLAN, house, budget=budget) == []
    assert said(PLAN, house, budget=Budget(1000, 100, 100, 10), estimate=estimate(**figures)) == []


def test_seconds_are_those_of_the_longest_chain(house: Crew) -> None:
    beside = estimate(seconds=100.0, critical_seconds=5.0)
    assert said(PLAN, house, budget=Budget(seconds=6), estimate=beside) == []


def test_what_could_be_left_out_is_named(house: Crew) -> None:
    tasks = [t.model_copy(update={"optional": t.id == "b"}) for t in PLAN]
    (found,) = said(tasks, house, budget=Budget(tool_calls=1))
    assert found.endswith("leave out b, or raise the budget.")


def test_entries_that_are_written_out_count_as_calls(house: Crew) -> None:
    tasks = answered(call("l", "label", name="$item", more={"each": ["a", "b", "c"]}))
    assert said(tasks, house, budget=Budget(tool_calls=3)) == []
    assert "calls tools 3 times" in said(tasks, house, budget=Budget(tool_calls=2))[0]


@pytest.mark.parametrize(
    ("allowance", "words_"),
    [
        (Allowance(tokens=2000), "may use 2,000 tokens, and the whole run 1,000"),
        (Allowance(tokens=100), "thought to take 400 tokens, and may use 100"),
        (Allowance(seconds=0), "with an allowance of 0 s it can do nothing"),
        (Allowance(tool_calls=0), "with an allowance of 0 tool calls it can do nothing"),
    ],
)
def test_allowances_that_contradict_are_named(house: Crew, allowance: Allowance, words_: str) -> None:
    tasks = [PLAN[0].model_copy(update={"allowance": allowance}), *PLAN[1:]]
    (found,) = said(tasks, house, budget=Budget(tokens=1000), estimate=estimate())
    assert found.startswith("Task s: ")
    assert words_ in found


def test_an_authors_allowance_above_the_budget_is_only_noted() -> None:
    from crewgraph import Agent

    task = Task(id="t1", description="-", agent="a", allowance=Allowance(tokens=2000))
    crew = Crew([Agent("a", "A.")], tasks=[task])
    (found,) = check([task], crew, budget=Budget(tokens=1000))
    assert found.severity == "note"


def test_a_tenants_forbidden_tools_are_refused(house: Crew) -> None:
    (found,) = said(PLAN, house, forbidden={"stock"})
    assert found.startswith("Task s: stock may not be used for this tenant; choose one of pack, weigh")
    assert "stock" not in found.split(";")[1]


def test_names_that_are_nearly_right_are_offered(house: Crew) -> None:
    tasks = [*PLAN[:-1], PLAN[-1].model_copy(update={"agent": "hosts", "depends_on": ("s", "bb")})]
    found = said(tasks, house)
    assert any("nobody has the role 'hosts'; did you mean host?" in one for one in found)
    assert any("waits for 'bb', which is not in the graph; did you mean b?" in one for one in found)


def test_one_more_task_is_checked_against_those_before_it_alone(house: Crew) -> None:
    stock = call("s", "stock", place="north")
    good = call("e", "enter", amount="$s.heaviest.weight")
    assert check_next(stock, [], house) == []
    assert check_next(good, [stock], house) == []
    assert check_next(good, {"s": stock}, house) == []
    assert "waits for 's', which is not in the graph" in str(check_next(good, [], house)[0])
    assert "no field 'wait'" in str(check_next(call("e", "enter", amount="$s.wait"), [stock], house)[0])
    assert "Two tasks are called 's'" in str(check_next(stock, [stock], house)[0])
    assert "may not be used" in str(check_next(good, [stock], house, forbidden={"enter"})[0])
    assert "the whole run" in str(
        check_next(words("w", allowance=Allowance(tokens=9)), [], house, budget=Budget(tokens=5))[0]
    )
    many = {f"t{n}": words(f"t{n}") for n in range(MAX_TASKS)}
    assert "over 100 tasks" in str(check_next(words("more"), many, house)[0])


def test_whoever_writes_a_plan_is_told_in_short_what_to_mend(house: Crew) -> None:
    assert repair_prompt([]) == ""
    assert repair_prompt([Finding(task="t1", problem="late", mend="hurry", severity="note")]) == ""
    found = check(
        [PLAN[0].model_copy(update={"agent": "clerk", "args": {"place": "nort"}}), *PLAN[1:]], house
    )
    told = repair_prompt(found)
    assert told.startswith(
        "That plan cannot be carried out:\n- Task s: clerk may not use stock; give it to keeper."
    )
    assert "did you mean north" in told
    assert told.endswith("Write the whole plan again, mended.")
    many = repair_prompt([Finding(task=f"t{n}", problem="x" * 2000, mend="y") for n in range(50)])
    assert "and 42 more" in many
    assert len(many) < 3000
