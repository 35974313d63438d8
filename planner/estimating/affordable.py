"""Affordable: whether a plan's estimate fits a budget, and what could be left out where it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...agents.crew import Crew
from ...runtime.budget import Budget
from ...runtime.errors import InvalidPlan
from ...runtime.graph import Task, TaskGraph
from ..plan import Estimate, Finding, TaskEstimate, wrong
from .estimate import added_up, listed_entries
from .measures import guess, tool_of

_ROUNDING = 1e-9


class _Over(NamedTuple):
    """A limit that is not kept: of what, how much it takes, how much is allowed; `known` where that is no guess."""

    what: str
    takes: float
    allowed: float
    known: bool


def over_budget(estimate: Estimate, budget: Budget, tasks: Sequence[Task], crew: Crew) -> list[Finding]:
    """Where a plan takes more than its budget allows: one finding a limit, with the cheapest alternative.

    It is wrong only where what is known (calls that are counted, measured, or of which author or tool has said what they
    take) is too much already. Where it takes guesses to be, that is only noted, for a guess should forbid nothing.
    """
    over = _over(estimate, budget, tasks, crew)
    if not over:
        return []
    alternative = cheapest(tasks, crew, estimate, budget) if any(one.known for one in over) else None
    found: list[Finding] = []
    for one in over:
        takes, allowed = _amount(one.what, one.takes), _amount(one.what, one.allowed)
        if one.known:
            found.append(
                Finding(
                    task="-",
                    problem=f"it is thought to take {takes}, and the budget allows {allowed}",
                    mend=_mend(one, tasks, crew, estimate, alternative),
                )
            )
        else:
            found.append(
                Finding(
                    task="-",
                    problem=f"it may take {takes}, by a guess, and the budget allows {allowed}",
                    mend="if it is too much, the run ends there and keeps what is finished",
                    severity="note",
                )
            )
    return found


def refuse(findings: Sequence[Finding]) -> None:
    """Nothing, where no finding forbids the plan.

    Raises:
        InvalidPlan: of what `over_budget` found, something is wrong; in one sentence.
    """
    if forbidding := wrong(findings):
        said = "; ".join(f"{finding.problem}: {finding.mend}" for finding in forbidding)
        raise InvalidPlan(f"The plan is over its budget: {said}.")


def cheapest(
    tasks: Sequence[Task], crew: Crew, estimate: Estimate, budget: Budget
) -> tuple[Task, ...] | None:
    """The plan without as many of its optional tasks as it takes to fit the budget; None where they are not enough.

    The dearest go first, and none goes that need not. What only they need goes with them, unless it has an effect;
    what refers to them has to be optional too. Those that waited for them wait for what they waited for.
    """
    if not any(one.known for one in _over(estimate, budget, tasks, crew)):
        return tuple(tasks)
    chosen: dict[str, frozenset[str]] = {}
    for task in tasks:
        if task.optional and (with_it := _leaving_with(task, tasks)) is not None:
            chosen[task.id] = with_it

    def fits(out: Iterable[str]) -> tuple[Task, ...] | None:
        left = _without(tasks, frozenset().union(*(chosen[t] for t in out)), crew)
        counted = added_up(left, crew, estimate.tasks)
        return None if any(one.known for one in _over(counted, budget, left, crew)) else left

    share = {t: _share(chosen[t], estimate, budget) for t in chosen}
    out: list[str] = []
    for task_id in sorted(chosen, key=lambda t: -share[t]):
        out.append(task_id)
        if fits(out) is not None:
            break
    else:
        return None
    for task_id in sorted(out, key=share.__getitem__):
        fewer = [t for t in out if t != task_id]
        if fits(fewer) is not None:
            out = fewer
    return fits(out)


def _over(estimate: Estimate, budget: Budget, tasks: Sequence[Task], crew: Crew) -> list[_Over]:
    known: Estimate | None = None
    over: list[_Over] = []
    for what, limit in (
        ("tool_calls", budget.tool_calls),
        ("tokens", budget.tokens),
        ("critical_seconds", budget.seconds),
        ("money", budget.money),
    ):
        takes: float = getattr(estimate, what)
        if limit is None or takes <= limit * (1 + _ROUNDING):
            continue
        if known is None:
            known = added_up(tasks, crew, {task.id: _known(task, estimate, tasks, crew) for task in tasks})
        certain: float = getattr(known, what)
        over.append(_Over(what, takes, limit, certain > limit * (1 + _ROUNDING)))
    return over


def _known(task: Task, estimate: Estimate, tasks: Sequence[Task], crew: Crew) -> TaskEstimate:
    """Of what a task is thought to take, that which is no guess."""
    taken = estimate.tasks[task.id]
    guessed = guess(task, crew)
    count = listed_entries(task, tasks)
    tool = tool_of(task, crew)
    said = tool is not None and tool.traits.seconds is not None
    if task.expected_seconds is not None and task.expected_seconds != guessed.seconds:
        said = True
    if not taken.measured:
        kept: Mapping[str, float] = {} if said else {"seconds": 0.0}
        if task.tool is None:
            kept = {**kept, "tokens": 0, "tool_calls": 0}
        taken = taken.model_copy(update=kept)
    if count is None:  # a list that only the run will show may be empty
        taken = TaskEstimate()
    return taken


def _leaving_with(task: Task, tasks: Sequence[Task]) -> frozenset[str] | None:
    """A task with all that cannot be done without its result; None where one of them has to be done."""
    out = {task.id}
    grown = True
    while grown:
        more = [t for t in tasks if t.id not in out and out & set(t.refers_to)]
        if any(not t.optional for t in more):
            return None
        out |= {t.id for t in more}
        grown = bool(more)
    return None if tasks[-1].id in out else frozenset(out)


def _without(tasks: Sequence[Task], out: frozenset[str], crew: Crew) -> tuple[Task, ...]:
    """The tasks without these, and without what only these need."""
    by_id = {task.id: task for task in tasks}
    gone = set(out)
    for task in _users_first(tasks):
        users = [t.id for t in tasks if task.id in t.needs]
        if task.id not in gone and users and all(u in gone for u in users) and not _has_effect(task, crew):
            gone.add(task.id)
    left: list[Task] = []
    for task in tasks:
        if task.id in gone:
            continue
        if gone & set(task.needs):
            waits = tuple(dict.fromkeys(_standing(task.depends_on, by_id, gone)))
            task = task.model_copy(update={"depends_on": waits})
        left.append(task)
    return tuple(left)


def _users_first(tasks: Sequence[Task]) -> list[Task]:
    graph = TaskGraph(tasks)
    return [graph[task_id] for task_id in reversed(graph.order)]


def _standing(needs: Iterable[str], by_id: Mapping[str, Task], gone: set[str]) -> Iterable[str]:
    """These, with what each one that is gone has waited for in its place."""
    for need in needs:
        if need in gone:
            yield from _standing(by_id[need].needs, by_id, gone)
        else:
            yield need


def _has_effect(task: Task, crew: Crew) -> bool:
    tool = tool_of(task, crew)
    return tool is not None and tool.effect != "read_only"


def _share(out: Iterable[str], estimate: Estimate, budget: Budget) -> float:
    """How much of the budget it saves to leave these out."""
    saved = [estimate.tasks[task_id] for task_id in out]
    parts = (
        (sum(one.tool_calls for one in saved), estimate.tool_calls, budget.tool_calls),
        (sum(one.tokens for one in saved), estimate.tokens, budget.tokens),
        (sum(one.seconds for one in saved), estimate.critical_seconds, budget.seconds),
        (sum(one.money for one in saved), estimate.money, budget.money),
    )
    return sum(
        saving / (whole - limit) for saving, whole, limit in parts if limit is not None and whole > limit
    )


def _mend(
    one: _Over,
    tasks: Sequence[Task],
    crew: Crew,
    estimate: Estimate,
    alternative: Sequence[Task] | None,
) -> str:
    allow = f"allow {_amount(one.what, one.takes, up=True)}"
    if alternative is not None:
        left = {task.id for task in alternative}
        out = [task.id for task in tasks if task.id not in left]
        fewer = getattr(added_up(alternative, crew, estimate.tasks), one.what)
        return f"leave out {_listed(out)}, which makes it {_amount(one.what, fewer)}, or {allow}"
    if any(task.optional for task in tasks):
        return f"leaving out what is optional is not enough: {allow}"
    return f"{allow}, or ask for less"


def _listed(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{', '.join(ids[:-1])} and {ids[-1]}"


def _amount(what: str, value: float, *, up: bool = False) -> str:
    """An amount in words; with `up`, rounded so that it is enough."""
    if what in ("tool_calls", "tokens"):
        word = "tool call" if what == "tool_calls" else "token"
        return f"{value:,.0f} {word}{'s' if value != 1 else ''}"
    if what == "money":
        return f"{value:.4g} of money"
    return f"{math.ceil(value * 10) / 10 if up else value:.4g} s"
