"""Whatever crew: a plan that a second opinion calls broken is refused by the checker, and one that the checker lets pass
the second opinion can carry out. The large version is `benchmarks/plan_validity.py`."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans.crews import Case, asked
from plans.judge import verdict
from plans.mutants import WAYS, Plan
from plans.written import rich

from crewgraph.planner.checking.checker import check, check_next
from crewgraph.planner.plan import wrong
from crewgraph.planner.strategies.rules import by_rules

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "plan_validity.py"
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(asked())
def test_what_the_checker_lets_pass_can_be_carried_out(case: Case) -> None:
    for tasks in (by_rules(case.crew, case.request).tasks, rich(case.crew, random.Random(case.seed))):
        if not wrong(check(tasks, case.crew)):
            assert verdict(tasks, case.crew, seed=case.seed) is None


@relaxed
@given(asked(), st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=8, unique=True))
def test_a_broken_plan_is_caught(case: Case, ways: list[str]) -> None:
    chance = random.Random(case.seed)
    for tasks in (by_rules(case.crew, case.request).tasks, rich(case.crew, chance)):
        for way in ways:
            broken = WAYS[way](Plan(tasks, case.crew, chance))
            if broken is None or verdict(broken.tasks, case.crew, broken.limits, case.seed) is None:
                continue
            limits = broken.limits
            assert wrong(check(broken.tasks, case.crew, budget=limits.budget, forbidden=limits.forbidden)), (
                way
            )


@relaxed
@given(asked())
def test_task_by_task_a_valid_plan_is_let_pass(case: Case) -> None:
    tasks = rich(case.crew, random.Random(case.seed))
    if not wrong(check(tasks, case.crew)):
        for place, task in enumerate(tasks):
            assert check_next(task, tasks[:place], case.crew) == []


def figures(*flags: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *flags, "--json", "-"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_plan_that_leaves_the_planner_is_valid() -> None:
    found = figures("--plans", "15", "--seed", "3")
    assert found["plans"] >= 25
    assert found["invalid"] == found["crashed"] == 0
    assert found["mutants"] > 50
    assert found["missed"] == 0
    assert figures("--plans", "15", "--seed", "3") == found, "the same seed, other figures"
