"""Owns the picture of two runs side by side: what changed first, what followed, and what each of them used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..screens.text import calls, clean, money, one_line, seconds, tokens
from .console import make_console, styled

if TYPE_CHECKING:
    from ....runtime.past.account import Spent
    from ....runtime.past.bisect import Culprit
    from ....runtime.past.diff import Change, RunDiff, StepDiff, TaskDiff

_MARKS = {
    "same": ("=", "dim"),
    "cost": ("≈", "dim"),
    "changed": ("~", "yellow"),
    "only in A": ("-", "red"),
    "only in B": ("+", "green"),
}


def print_diff(found: RunDiff, a: str, b: str) -> None:
    """How run `b` differs from run `a`, from the first change to the answer."""
    console = make_console()
    _print_sides(console, found, a, b)
    console.print()
    if found.first is None:
        console.print(
            styled(("no difference", "bold"), ("" if found.same else ", except in what they used", ""))
        )
    else:
        _print_first(console, found.first)
    changed = [task for task in found.tasks if task.state != "same"]
    if changed:
        console.print()
    for task in changed:
        _print_task(console, task)
    same = len(found.tasks) - len(changed)
    if changed and same:
        console.print(styled((f"= {same} of {len(found.tasks)} tasks are the same", "dim")))
    if found.ended:
        console.print(styled(("ended: ", "bold"), (one_line(found.ended), "")))
    if found.answer:
        _print_answers(console, found)
    elif found.first is not None and found.a.answer:
        console.print(styled(("the answer is the same", "bold")))


def print_culprit(culprit: Culprit, good: str, bad: str) -> None:
    """Which step made the answer wrong."""
    console = make_console()
    what = "the plan" if culprit.step is None else _step_name(culprit.step)
    console.print(styled(("culprit: ", "bold"), (what, "yellow")))
    console.print(styled((f"  {one_line(culprit.said)}", "")))
    tried = "1 fork was tried" if culprit.tried == 1 else f"{culprit.tried} forks were tried"
    console.print(
        styled(
            (
                f"It is number {culprit.place} of {culprit.suspects} in which {bad} differs from {good}; {tried}.",
                "dim",
            )
        )
    )
    console.print(styled(("With its result the answer is: ", "dim"), (one_line(culprit.answer, 1_000), "")))
    if culprit.step is not None and culprit.step.key_a:
        console.print(
            styled(
                (
                    f"Try another one: crewgraph fork {good} --at {culprit.step.key_a[:12]} --set output=…",
                    "dim",
                )
            )
        )


def _print_sides(console: Console, found: RunDiff, a: str, b: str) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, run_id, side in (("A", a, found.a), ("B", b, found.b)):
        table.add_row(Text(name, "bold"), Text(run_id), Text(side.ended), Text(_used(side.spent), "dim"))
    console.print(table)
    if found.request:
        console.print(styled(("asked otherwise: ", "bold"), (one_line(found.request), "")))


def _print_first(console: Console, first: Change) -> None:
    where = {
        "request": "the request",
        "planning": "a step of the planning",
        "plan": f"the plan of task {first.task_id!r}",
        "step": _step_name(first.step) if first.step else f"task {first.task_id!r}",
        "result": f"what task {first.task_id!r} makes of the same steps (its code has changed)"
        if first.task_id
        else "how the run ends",
    }[first.what]
    console.print(styled(("first change: ", "bold"), (where, "yellow")))
    console.print(styled((f"  {one_line(first.said)}", "")))
    for reached in first.reached:
        through = f" through {reached.through!r}" if reached.through else ""
        console.print(
            styled((f"  → task {reached.task_id!r}{through}: ", "dim"), (one_line(reached.said), ""))
        )
    said = "  → the answer" if first.answer_changed else "  → and the answer stays the same"
    console.print(styled((said, "dim")))


def _print_task(console: Console, task: TaskDiff) -> None:
    mark, style = _MARKS[task.state]
    name = f"task {task.id}" if task.id else "planning"
    cost = _change(task.a, task.b)
    console.print(styled((f"{mark} ", style), (name, "bold"), (f"  {_said(task.state)}{cost}", "dim")))
    for said in (task.planned, task.result):
        if said:
            console.print(styled((f"    {one_line(said)}", "")))
    for step in task.steps:
        mark, style = _MARKS[step.state]
        cost = _change(step.a, step.b)
        console.print(
            styled((f"  {mark} ", style), (f"step {step.name}", ""), (f"  {_said(step.state)}{cost}", "dim"))
        )
        for said in (step.inputs, step.output):
            if said:
                console.print(styled((f"      {one_line(said)}", "")))
    if task.same_steps and task.steps:
        console.print(styled((f"  = {task.same_steps} other steps are the same", "dim")))


def _print_answers(console: Console, found: RunDiff) -> None:
    for name, side, style in (("A", found.a, "red"), ("B", found.b, "green")):
        if side.answer:
            console.print()
            console.print(styled((f"answer of {name}: ", f"bold {style}"), (clean(side.answer), "")))


def _said(state: str) -> str:
    return "the same, but not what it used" if state == "cost" else state


def _step_name(step: StepDiff) -> str:
    return f"step {step.name!r} of " + (f"task {step.task_id!r}" if step.task_id else "the planning")


def _used(spent: Spent) -> str:
    parts = [seconds(spent.seconds), tokens(spent.tokens), calls(spent.tool_calls)]
    return ", ".join([*parts, money(spent.money)] if spent.money else parts)


def _change(a: Spent, b: Spent) -> str:
    """How much more or less B used: only what changed."""
    parts = [
        f"{b.tokens - a.tokens:+,} tokens" if a.tokens != b.tokens else "",
        f"{b.tool_calls - a.tool_calls:+,} tool calls" if a.tool_calls != b.tool_calls else "",
        f"{b.money - a.money:+.4f} cost" if abs(a.money - b.money) > 5e-5 else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"  ({said})" if said else ""
