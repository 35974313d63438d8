"""Costs: whether a plan, as far as it is known what it takes, stays within its budget and its tasks' allowances."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ....runtime.budget import Budget
from ....runtime.graph import Task
from ...plan import Estimate, Finding
from ..words import several

_WHAT = ("tokens", "seconds", "tool_calls", "money")
_UNITS = {"tokens": "tokens", "seconds": "s", "tool_calls": "tool calls", "money": "of money"}


def costs(
    tasks: Sequence[Task], budget: Budget | None, estimate: Estimate | None, authored: Collection[str]
) -> Iterator[Finding]:
    """What goes beyond the budget or an allowance, or contradicts it. `authored` are tasks whose author fixed them: that
    they may use more than the run is only noted, for the run's budget ends it all the same."""
    if budget is not None:
        yield from _calls(tasks, budget, estimate)
        yield from _estimated(tasks, budget, estimate)
    for task in tasks:
        yield from allowances(task, budget, estimate, authored)


def allowances(
    task: Task, budget: Budget | None, estimate: Estimate | None = None, authored: Collection[str] = ()
) -> Iterator[Finding]:
    """What is wrong with what one task may use."""
    if task.allowance is None:
        return
    thought = estimate.tasks.get(task.id) if estimate is not None else None
    for what in _WHAT:
        may = getattr(task.allowance, what)
        if may is None:
            continue
        unit = _UNITS[what]
        if not may and (what != "tool_calls" or task.tool is not None):
            yield Finding(
                task=task.id, problem=f"with an allowance of 0 {unit} it can do nothing", mend="allow it some"
            )
            continue
        limit = getattr(budget, what) if budget is not None else None
        if limit is not None and may > limit:
            yield Finding(
                task=task.id,
                problem=f"it may use {_amount(may)} {unit}, and the whole run {_amount(limit)}",
                mend=f"allow it {_amount(limit)} at most, or raise the budget",
                severity="note" if task.id in authored else "wrong",
            )
        takes = getattr(thought, what, None)
        if takes is not None and takes > may:
            yield Finding(
                task=task.id,
                problem=f"it is thought to take {_amount(takes)} {unit}, and may use {_amount(may)}",
                mend=f"allow it {_amount(takes)}, or make it smaller",
            )


def _calls(tasks: Sequence[Task], budget: Budget, estimate: Estimate | None) -> Iterator[Finding]:
    """Tool calls: one for each bound call, and one for each entry of a list that is written out."""
    calls = sum(
        max(1, len(task.each)) if isinstance(task.each, list) else 1
        for task in tasks
        if task.tool is not None
    )
    calls = max(calls, estimate.tool_calls if estimate is not None else 0)
    if budget.tool_calls is not None and calls > budget.tool_calls:
        yield Finding(
            task="-",
            problem=f"it calls tools {several(calls, 'time')}, and the budget allows {budget.tool_calls}",
            mend=f"{_spare(tasks)}, or raise the budget",
        )


def _estimated(tasks: Sequence[Task], budget: Budget, estimate: Estimate | None) -> Iterator[Finding]:
    if estimate is None:
        return
    thought = {"tokens": estimate.tokens, "seconds": estimate.critical_seconds, "money": estimate.money}
    for what, takes in thought.items():
        limit = getattr(budget, what)
        if limit is None or takes <= limit:
            continue
        known = {task.id for task in tasks}
        each = {t: getattr(part, what) for t, part in estimate.tasks.items() if t in known}
        most = max(each, key=lambda t: each[t], default="")
        share = f" ({most} alone {_amount(each[most])})" if most and each[most] else ""
        yield Finding(
            task="-",
            problem=f"it is thought to take {_amount(takes)} {_UNITS[what]}{share}, and the budget allows {_amount(limit)}",
            mend=f"{_spare(tasks)}, or raise the budget",
        )


def _spare(tasks: Sequence[Task]) -> str:
    """What could be left out."""
    spare = [task.id for task in tasks if task.optional]
    return f"leave out {', '.join(spare)}" if spare else "ask for less"


def _amount(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
