"""Owns what a run leaves on stdout: the answer, its evidence, a line of summary; or one JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...telling import outcome_json
from ..screens.plain import task_line
from ..screens.screen import in_terminal
from ..screens.text import clean, money, one_line, seconds, tokens

if TYPE_CHECKING:
    from ....runtime.events import PlanMade
    from ....runtime.reading.history import RunSummary
    from ...house import Outcome


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


def print_plan(plan: PlanMade, *, as_json: bool) -> None:
    """A plan, for people or for programs."""
    if as_json:
        tasks = [{**task.model_dump(mode="json"), "depends_on": list(task.needs)} for task in plan.tasks]
        print_json({"strategy": plan.strategy, "notes": list(plan.notes), "tasks": tasks})
        return
    print(f"plan ({plan.strategy}):")
    for task in plan.tasks:
        print(f"  {task_line(task)}")
        for name, value in task.args.items():
            print(f"      {name} = {one_line(json.dumps(value, ensure_ascii=False), 300)}")
    for note in plan.notes:
        print(f"  note: {one_line(note)}")


def print_json(value: Any) -> None:
    """Exactly one JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()
