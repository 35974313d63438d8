"""Mermaid: a plan as a `flowchart TD`, for pages that draw such text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ...runtime.graph import Task, TaskGraph, references
from ..plan import Estimate
from .labels import call, condition, cost, marks, plain, waits_for, what, who

_SAFE = re.compile(r"[^\w ,.()/=·…+-]")
_LIST = re.compile(r"^(\d+)([.)])(?= )|^([+-])(?= )")
_APART = "\u200b"
_STYLES = (
    "  classDef critical stroke:#d97706,stroke-width:3px",
    "  classDef optional stroke-dasharray:5 4",
)


def mermaid(tasks: Sequence[Task], estimate: Estimate | None = None) -> str:
    """A plan in Mermaid's language (mermaid.js.org, `flowchart`).

    Nodes are called n0, n1, … and labelled with what people wrote, escaped, so that no text is taken for syntax. A task that
    is done for each of a list has double sides, one that asks a person is a hexagon, one that may be left out is dashed;
    a dotted arrow is a condition. The longest chain is bold.

    Raises:
        InvalidGraph: the tasks are no graph.
    """
    TaskGraph(tasks)
    names = {task.id: f"n{number}" for number, task in enumerate(tasks)}
    path = list(estimate.path) if estimate is not None else []
    chain = set(pairwise(path))
    lines = ["flowchart TD"]
    lines += [f"  {names[task.id]}{_node(task, estimate)}" for task in tasks]
    thick: list[int] = []
    edge = 0
    for task in tasks:
        asked = _asked(task)
        for need in waits_for(task, tasks):
            arrow = f'-. "{_escaped(condition(task.when))}" .->' if task.when and need in asked else "-->"
            lines.append(f"  {names[need]} {arrow} {names[task.id]}")
            if (need, task.id) in chain:
                thick.append(edge)
            edge += 1
    critical = [names[task_id] for task_id in path if task_id in names]
    optional = [names[task.id] for task in tasks if task.optional]
    if critical or optional:
        lines += _STYLES
    lines += [f"  class {','.join(critical)} critical"] if critical else []
    lines += [f"  class {','.join(optional)} optional"] if optional else []
    lines += [f"  linkStyle {','.join(map(str, thick))} stroke:#d97706,stroke-width:3px"] if thick else []
    return "\n".join(lines) + "\n"


def _node(task: Task, estimate: Estimate | None) -> str:
    head = " · ".join(part for part in (plain(task.id), who(task)) if part)
    taken = cost(estimate.tasks.get(task.id)) if estimate is not None else ""
    parts = [head, what(task), call(task), ", ".join(marks(task)), taken]
    label = "<br/>".join(_escaped(part) for part in parts if part)
    left, right = ("[[", "]]") if task.each is not None else ("{{", "}}") if task.approval else ("[", "]")
    return f'{left}"{label}"{right}'


def _asked(task: Task) -> set[str]:
    """The tasks whose results its condition asks about."""
    return {ref.task for ref in references([task.when.value, task.when.to])} if task.when else set()


def _escaped(text: str) -> str:
    """The text as Mermaid shows it and does not read it: signs that could mean something as numbered entities."""
    # Mermaid reads entities before it looks for formulas and icons: a space of no width keeps those apart even then.
    apart = (
        plain(text).replace("$$", f"${_APART}$").replace("$$", f"${_APART}$").replace(":fa-", f":{_APART}fa-")
    )
    safe = _SAFE.sub(lambda found: f"#{ord(found[0])};", apart).replace("_", "#95;")
    return _LIST.sub(lambda found: f"{found[1]}#{ord(found[2])};" if found[2] else f"#{ord(found[3])};", safe)
