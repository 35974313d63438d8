"""Owns the picture of a past run: a tree of tasks, their steps, and what went in and came out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ...telling import notes_of, short_keys, state_of
from ..screens.text import calls, clean, money, one_line, seconds, tokens
from ..screens.view import GLYPHS, begun_of, origin_of, role_of, with_entries
from .console import make_console, styled
from .questions import how_to_answer

if TYPE_CHECKING:
    from ....planner.estimating.comparison import Comparison, Pair
    from ....runtime.reading.history import RunSummary, StepSummary, TaskSummary
    from ....runtime.store import RunRecord

_CUT = 400
_KEY = 8
_ENTRIES = 20
"""So many entries of a task that is done for each of a list are shown."""


def print_run(record: RunRecord, run: RunSummary, *, full: bool) -> None:
    """The whole run, top to bottom: what was asked, how it went, the answer, its evidence."""
    console = make_console()
    _print_head(console, record, run)
    tree = Tree(Text(one_line(record.request, 0 if full else _CUT)), guide_style="dim")
    if run.strategy:
        tree.add(styled((f"plan made by: {run.strategy}", "dim")))
    for change in run.changes:
        gone = f"; without {', '.join(change.left_out)}" if change.left_out else ""
        fresh = f"; new: {', '.join(change.new)}" if change.new else ""
        tree.add(styled(("another plan: ", "yellow"), (one_line(f"{change.reason}{gone}{fresh}"), "")))
    for line in run.missing:
        tree.add(styled(("missing: ", "yellow"), (one_line(line), "")))
    beside = compared(run)
    if beside is not None:
        tree.add(styled((_whole(beside.whole), "dim")))
    for note in notes_of(run):
        tree.add(styled(("note: ", "yellow"), (one_line(note), "")))
    for step in run.steps:
        _add_step(tree, step, full=full)
    for task, entries in with_entries(run):
        _add_task(tree, task, run, entries, beside=beside, full=full)
    console.print(tree)
    answer, error = run.answer or record.answer, run.error or record.error
    if answer:
        console.print()
        console.print(Text(clean(answer)))
    for fact in run.evidence:
        console.print(styled(("  evidence: ", "dim"), (one_line(fact), "")))
    if error and run.outcome != "waiting":
        console.print(styled(("failed: ", "red"), (one_line(error), "")))
    _print_questions(console, record, run)


def _print_head(console: Console, record: RunRecord, run: RunSummary) -> None:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
    tenant = f"  for {one_line(record.tenant)}" if record.tenant else ""
    console.print(styled((f"run {record.id}", "bold"), (f"  {record.status}  {when}{tenant}", "dim")))
    if run.forked_from:
        origin, at_seq = run.forked_from
        model = f", on model {one_line(record.model)}" if record.model else ""
        console.print(styled((f"forked from {origin} at event #{at_seq}{model}", "dim")))
    worked = run.seconds or record.seconds
    figures = [seconds(worked)] if worked else []
    figures.append(tokens(run.tokens))
    figures += [calls(run.tool_calls)] if run.tool_calls else []
    figures += [money(run.money)] if run.money else []
    figures += [f"resumed {run.resumed} times" if run.resumed > 1 else "resumed once"] if run.resumed else []
    where = f" ({record.crew_path})" if record.crew_path else ""
    console.print(styled((f"crew {one_line(record.crew)}{where}  {', '.join(figures)}", "dim")))


def _print_questions(console: Console, record: RunRecord, run: RunSummary) -> None:
    keys = short_keys(run.questions)
    for question in run.questions:
        key = keys[question.key] if len(run.questions) > 1 else ""
        console.print(styled(("? ", "bold yellow"), (one_line(question.question), "")))
        console.print(styled((f"  {how_to_answer(record.id, question, key)}", "dim")))


def compared(run: RunSummary) -> Comparison | None:
    """What the plan was thought to take beside what it took; None where nobody thought about it."""
    if run.estimate is None:
        return None
    from ....planner.estimating.comparison import compare
    from ....planner.plan import Estimate

    return compare(Estimate.model_validate(run.estimate), run)


def _whole(whole: Pair) -> str:
    said = f"estimated {seconds(whole.thought_seconds)}, {tokens(whole.thought_tokens)}"
    if whole.seconds is not None and whole.tokens is not None:
        said += f"; took {seconds(whole.seconds)}, {tokens(whole.tokens)}"
    return said


def _add_task(
    tree: Tree,
    task: TaskSummary,
    run: RunSummary,
    entries: Sequence[TaskSummary] = (),
    *,
    beside: Comparison | None = None,
    full: bool,
) -> None:
    state = state_of(task, run)
    glyph, style = GLYPHS[state]
    spent = f"  {seconds(task.seconds)}" if state == "finished" else f"  {state}"
    thought = beside.of(task.id) if beside is not None else None
    if thought is None:
        spent += f"  {tokens(task.tokens)}" if task.tokens else ""
    elif thought.tokens is None:
        spent += f" (estimated {seconds(thought.thought_seconds)}, {tokens(thought.thought_tokens)})"
    else:
        spent += f" (estimated {seconds(thought.thought_seconds)})"
        if thought.tokens or thought.thought_tokens:
            spent += f"  {tokens(thought.tokens)} (estimated {thought.thought_tokens:,})"
    spent += begun_of(task)
    spent += f"  after {', '.join(task.needs)}" if task.needs else ""
    spent += origin_of(task)
    branch = tree.add(
        styled(
            (f"{glyph} {task.id}", style),
            (f" {role_of(task)}" if role_of(task) != task.id else "", "bold"),
            (spent, "dim"),
            (f"  {one_line(task.description)}" if task.description else "", ""),
        )
    )
    for planned in run.plan:
        if planned.id == task.id and planned.tool:
            branch.add(_value(f"{planned.tool} ← ", planned.args, full=full))
    for note in task.notes:
        branch.add(styled(("note: ", "yellow"), (one_line(note), "")))
    for step in task.steps:
        _add_step(branch, step, full=full)
    for entry in entries[: None if full else _ENTRIES]:
        _add_task(branch, entry, run, full=full)
    if len(entries) > _ENTRIES and not full:
        branch.add(styled((f"… and {len(entries) - _ENTRIES:,} more: --full shows them", "dim")))
    if task.error and state != "retrying":
        branch.add(styled((one_line(task.error), "red" if state == "failed" else "dim")))
    if task.result is not None:
        branch.add(_value("= ", task.result.text or task.result.value, full=full))


def _add_step(tree: Tree, step: StepSummary, *, full: bool) -> None:
    glyph, style = GLYPHS[step.state]
    spent = f"  {seconds(step.seconds)}" if step.state == "finished" else f"  {step.state}"
    spent += f"  {tokens(step.tokens)}" if step.tokens else ""
    spent += f"  {money(step.money)}" if step.money else ""
    spent += f"  {step.effect}" if step.effect != "read_only" else ""
    key = step.key if full else step.key[:_KEY]
    branch = tree.add(
        styled((f"{glyph} ", style), (f"step {step.name}", ""), (spent, "dim"), (f"  {key}", "dim"))
    )
    if step.inputs is not None:
        branch.add(_value("in  ", step.inputs, full=full))
    if step.error:
        branch.add(styled(("error ", "red"), (one_line(step.error), "")))
    elif step.output is not None:
        branch.add(_value("out ", step.output, full=full))


def _value(label: str, value: Any, *, full: bool) -> Text:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if full:
        return styled((label, "dim"), (clean(said), ""))
    return styled((label, "dim"), (one_line(said, _CUT), ""))
