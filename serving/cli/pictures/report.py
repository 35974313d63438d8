"""Owns what a run leaves on stdout: the answer, its evidence, a line of summary; or one JSON object."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...telling import outcome_json
from ..screens.screen import in_terminal
from ..screens.text import clean, money, one_line, seconds, tokens

if TYPE_CHECKING:
    from ....planner.plan import Estimate, Finding
    from ....runtime.events import PlanMade
    from ....runtime.reading.history import RunSummary
    from ...house import Outcome

_ENDLESS = 100_000


@contextmanager
def kept_for_json(as_json: bool) -> Iterator[None]:
    """Inside, what a crew file, a tool or its subprocess prints goes to stderr: stdout is for the object."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def report(outcome: Outcome, run: RunSummary, *, as_json: bool) -> None:
    """What a run came to, for people or for programs."""
    if as_json:
        print_json(outcome_json(outcome, run))
    else:
        print_answer(outcome)
        print_summary(outcome, run)


def print_summary(outcome: Outcome, run: RunSummary) -> None:
    """Which run it was, what it used, and where the rest is told."""
    spent = f"{seconds(outcome.seconds)}, {tokens(outcome.tokens)}"
    spent += f", {money(run.money)}" if run.money else ""
    origin = f", forked from {run.forked_from[0]}" if run.forked_from else ""
    print(f"run {outcome.run_id}: {spent}{origin} (details: crewgraph show {outcome.run_id})", flush=True)


def print_answer(outcome: Outcome) -> None:
    """The answer and what it rests on; in a terminal, wrapped between words."""
    say = _wrapped() if in_terminal() else print
    print()
    say(clean(outcome.answer))
    print()
    for line in outcome.evidence:
        say(f"  evidence: {one_line(line)}")
    if outcome.evidence:
        print(flush=True)


def _wrapped() -> Callable[[str], None]:
    from rich.text import Text

    from .console import make_console

    console = make_console()
    return lambda text: console.print(Text(text))


def print_plan(
    plan: PlanMade, estimate: Estimate | None = None, findings: Sequence[Finding] = (), *, as_json: bool
) -> None:
    """A plan, for people or for programs: its tasks, what they are thought to take, what is to be said about them.

    Findings that forbid it are left to whoever refuses it.
    """
    if as_json:
        print_json(plan_json(plan, estimate, findings))
        return
    from ....planner.drawing.labels import amount, rests_on, total
    from ....planner.drawing.tree import tree

    head = f"plan ({plan.strategy}): {amount(len(plan.tasks), 'task')}"
    if estimate is not None:
        head += f", {total(estimate)} ({rests_on(estimate)})"
    print(head)
    for line in tree(plan.tasks, estimate, width=columns()):
        print(f"  {line}")
    said = [str(finding) for finding in findings if finding.severity != "wrong"]
    for note in dict.fromkeys([*plan.missing, *plan.notes, *said]):
        print(f"  note: {one_line(note)}")
    sys.stdout.flush()


def columns() -> int:
    """How wide a line may be: as the terminal; in a pipe nothing is wrapped, for programs and `grep` read it."""
    return shutil.get_terminal_size().columns - 2 if in_terminal() else _ENDLESS


def plan_json(plan: PlanMade, estimate: Estimate | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """A plan as JSON."""
    return {
        "strategy": plan.strategy,
        "intent": plan.intent,
        "notes": list(plan.notes),
        "missing": list(plan.missing),
        "tasks": [{**task.model_dump(mode="json"), "depends_on": list(task.needs)} for task in plan.tasks],
        "estimate": estimate.model_dump(mode="json") if estimate is not None else None,
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }


def print_json(value: Any) -> None:
    """Exactly one JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()
