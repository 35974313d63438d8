"""Owns what a run leaves on stdout: the answer, its evidence, a line of summary; or one JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .plain import task_line
from .screen import in_terminal
from .text import clean, one_line, seconds, tokens
from .view import notes_of, state_of

if TYPE_CHECKING:
    from ....runtime.events import PlanMade
    from ....runtime.history import RunSummary, TaskSummary
    from ....runtime.store import RunRecord
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
        print_outcome(outcome)


def print_outcome(outcome: Outcome) -> None:
    """Answer, evidence and summary, for people."""
    print_answer(outcome)
    spent = f"{seconds(outcome.seconds)}, {tokens(outcome.tokens)}"
    print(f"run {outcome.run_id}: {spent} (details: crewgraph show {outcome.run_id})", flush=True)


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


def outcome_json(outcome: Outcome, run: RunSummary) -> dict[str, Any]:
    """The same for programs, with the plan and every task's result."""
    return {
        "run_id": outcome.run_id,
        "thread_id": outcome.thread_id,
        "answer": outcome.answer,
        "evidence": list(outcome.evidence),
        "seconds": round(outcome.seconds, 3),
        "tokens": outcome.tokens,
        "strategy": run.strategy,
        "notes": notes_of(run),
        "tasks": [_task_json(task, run) for task in run.tasks],
    }


def record_json(record: RunRecord, run: RunSummary) -> dict[str, Any]:
    """A journalled run for programs: everything the inspector shows."""
    return {
        **asdict(record),
        "run_id": record.id,
        "answer": run.answer or record.answer,
        "evidence": list(run.evidence),
        "error": run.error or record.error or None,
        "seconds": round(run.seconds, 3),
        "strategy": run.strategy,
        "notes": notes_of(run),
        "steps": [asdict(step) for step in run.steps],
        "tasks": [_task_json(task, run) for task in run.tasks],
    }


def _task_json(task: TaskSummary, run: RunSummary) -> dict[str, Any]:
    planned = next((found for found in run.plan if found.id == task.id), None)
    return {
        **({} if planned is None else planned.model_dump(mode="json")),
        "id": task.id,
        "depends_on": list(task.needs),
        "state": state_of(task, run),
        "seconds": round(task.seconds, 3),
        "tokens": task.tokens,
        "result": None if task.result is None else task.result.model_dump(mode="json"),
        "error": task.error or None,
        "notes": task.notes,
        "steps": [asdict(step) for step in task.steps],
    }


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
