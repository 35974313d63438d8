"""Owns the picture of a past run: a tree of tasks, their steps, and what went in and came out."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from .console import make_console
from .live import GLYPHS
from .text import clean, one_line, seconds, tokens

if TYPE_CHECKING:
    from ...runtime.store import RunRecord
    from .view import RunView, StepView, TaskView

_CUT = 400


def print_run(record: RunRecord, view: RunView, *, full: bool) -> None:
    """The whole run, top to bottom: what was asked, how it went, the answer, its evidence."""
    console = make_console()
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    console.print(_line((f"run {record.id}", "bold"), (f"  {record.status}  {when}", "dim")))
    figures = f"{seconds(view.seconds)}, " if view.seconds else ""
    where = f" ({record.crew_path})" if record.crew_path else ""
    console.print(_line((f"crew {one_line(record.crew)}{where}  {figures}{tokens(record.tokens)}", "dim")))
    tree = Tree(Text(one_line(record.request, 0 if full else _CUT)), guide_style="dim")
    if view.strategy:
        tree.add(_line((f"plan made by: {view.strategy}", "dim")))
    for note in view.notes:
        tree.add(_line(("note: ", "yellow"), (one_line(note), "")))
    for step in view.steps:
        _add_step(tree, step, full=full)
    for shown in view.tasks.values():
        _add_task(tree, shown, full=full)
    console.print(tree)
    if view.answer or record.answer:
        console.print()
        console.print(Text(clean(view.answer or record.answer)))
    for line in view.evidence:
        console.print(_line(("  evidence: ", "dim"), (one_line(line), "")))
    if view.error or record.error:
        console.print(_line(("failed: ", "red"), (one_line(view.error or record.error), "")))


def _add_task(tree: Tree, shown: TaskView, *, full: bool) -> None:
    glyph, style = GLYPHS[shown.state]
    after = f"  after {', '.join(shown.task.needs)}" if shown.task.needs else ""
    spent = f"  {seconds(shown.seconds)}" if shown.state == "done" else f"  {shown.state}"
    spent += f"  {tokens(shown.tokens)}" if shown.tokens else ""
    branch = tree.add(
        _line(
            (f"{glyph} {shown.task.id} ", style),
            (shown.role, "bold"),
            (f"{spent}{after}", "dim"),
            (f"  {one_line(shown.task.description)}", ""),
        )
    )
    if shown.task.tool:
        branch.add(_value(f"{shown.task.tool} ← ", shown.task.args, full=full))
    for note in shown.notes:
        branch.add(_line(("note: ", "yellow"), (one_line(note), "")))
    for step in shown.steps:
        _add_step(branch, step, full=full)
    if shown.error:
        branch.add(_line((one_line(shown.error), "red" if shown.state == "failed" else "dim")))
    if shown.result is not None:
        branch.add(_value("= ", shown.result.text or shown.result.value, full=full))


def _add_step(tree: Tree, step: StepView, *, full: bool) -> None:
    glyph, style = GLYPHS[step.state]
    spent = f"  {seconds(step.seconds)}" if step.state == "done" else f"  {step.state}"
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
