"""Owns the picture of a past run: a tree of tasks, their steps, and what went in and came out."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from .console import make_console
from .text import clean, one_line, seconds, tokens
from .view import GLYPHS, notes_of, role_of, state_of

if TYPE_CHECKING:
    from ....runtime.history import RunSummary, StepSummary, TaskSummary
    from ....runtime.store import RunRecord

_CUT = 400


def print_run(record: RunRecord, run: RunSummary, *, full: bool) -> None:
    """The whole run, top to bottom: what was asked, how it went, the answer, its evidence."""
    console = make_console()
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    console.print(_line((f"run {record.id}", "bold"), (f"  {record.status}  {when}", "dim")))
    figures = f"{seconds(run.seconds)}, " if run.seconds else ""
    where = f" ({record.crew_path})" if record.crew_path else ""
    console.print(_line((f"crew {one_line(record.crew)}{where}  {figures}{tokens(run.tokens)}", "dim")))
    tree = Tree(Text(one_line(record.request, 0 if full else _CUT)), guide_style="dim")
    if run.strategy:
        tree.add(_line((f"plan made by: {run.strategy}", "dim")))
    for note in notes_of(run):
        tree.add(_line(("note: ", "yellow"), (one_line(note), "")))
    for step in run.steps:
        _add_step(tree, step, full=full)
    for task in run.tasks:
        _add_task(tree, task, run, full=full)
    console.print(tree)
    answer, error = run.answer or record.answer, run.error or record.error
    if answer:
        console.print()
        console.print(Text(clean(answer)))
    for line in run.evidence:
        console.print(_line(("  evidence: ", "dim"), (one_line(line), "")))
    if error:
        console.print(_line(("failed: ", "red"), (one_line(error), "")))


def _add_task(tree: Tree, task: TaskSummary, run: RunSummary, *, full: bool) -> None:
    state = state_of(task, run)
    glyph, style = GLYPHS[state]
    spent = f"  {seconds(task.seconds)}" if state == "finished" else f"  {state}"
    spent += f"  {tokens(task.tokens)}" if task.tokens else ""
    spent += f"  after {', '.join(task.needs)}" if task.needs else ""
    branch = tree.add(
        _line(
            (f"{glyph} {task.id} ", style),
            (role_of(task), "bold"),
            (spent, "dim"),
            (f"  {one_line(task.description)}", ""),
        )
    )
    for planned in run.plan:
        if planned.id == task.id and planned.tool:
            branch.add(_value(f"{planned.tool} ← ", planned.args, full=full))
    for note in task.notes:
        branch.add(_line(("note: ", "yellow"), (one_line(note), "")))
    for step in task.steps:
        _add_step(branch, step, full=full)
    if task.error:
        branch.add(_line((one_line(task.error), "red" if state == "failed" else "dim")))
    if task.result is not None:
        branch.add(_value("= ", task.result.text or task.result.value, full=full))


def _add_step(tree: Tree, step: StepSummary, *, full: bool) -> None:
    glyph, style = GLYPHS[step.state]
    spent = f"  {seconds(step.seconds)}" if step.state == "finished" else f"  {step.state}"
    spent += f"  {tokens(step.tokens)}" if step.tokens else ""
    branch = tree.add(_line((f"{glyph} ", style), (f"step {step.name}", ""), (spent, "dim")))
    if step.inputs is not None:
        branch.add(_value("in  ", step.inputs, full=full))
    if step.error:
        branch.add(_line(("error ", "red"), (one_line(step.error), "")))
    elif step.output is not None:
        branch.add(_value("out ", step.output, full=full))


def _value(label: str, value: Any, *, full: bool) -> Text:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if full:
        return Text.assemble((label, "dim"), clean(said))
    return _line((label, "dim"), (one_line(said, _CUT), ""))


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts)
