"""Owns what a run leaves on stdout: the answer, its evidence, a line of summary; or one JSON object."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from .text import clean, one_line, seconds, tokens

if TYPE_CHECKING:
    from ...runtime.events import PlanMade
    from ..house import Outcome
    from .view import RunView, StepView


def print_outcome(outcome: Outcome) -> None:
    """Answer, evidence and summary, for people."""
    print_answer(outcome)
    spent = f"{seconds(outcome.seconds)}, {tokens(outcome.tokens)}"
    print(f"run {outcome.run_id}: {spent} (details: crewgraph show {outcome.run_id})", flush=True)


def print_answer(outcome: Outcome) -> None:
    """The answer and what it rests on."""
    print()
    print(clean(outcome.answer))
    print()
    for line in outcome.evidence:
        print(f"  evidence: {one_line(line)}")
    if outcome.evidence:
        print(flush=True)


def outcome_json(outcome: Outcome, view: RunView) -> dict[str, Any]:
    """The same for programs, with the plan and every task's result."""
    return {
        "run_id": outcome.run_id,
        "thread_id": outcome.thread_id,
        "answer": outcome.answer,
        "evidence": list(outcome.evidence),
        "seconds": round(outcome.seconds, 3),
        "tokens": outcome.tokens,
        "strategy": view.strategy,
        "notes": view.notes,
        "tasks": tasks_json(view),
    }


def run_json(view: RunView) -> dict[str, Any]:
    """A journalled run for programs: everything the inspector shows."""
    return {
        "crew": view.crew,
        "request": view.request,
        "state": view.state,
        "answer": view.answer,
        "evidence": list(view.evidence),
        "error": view.error or None,
        "seconds": round(view.seconds, 3),
        "tokens": view.tokens,
        "strategy": view.strategy,
        "notes": view.notes,
        "steps": [_step_json(step) for step in view.steps],
        "tasks": tasks_json(view),
    }


def tasks_json(view: RunView) -> list[dict[str, Any]]:
    """Every task with its definition, state, result, notes and steps."""
    return [
        {
            **shown.task.model_dump(mode="json"),
            "depends_on": list(shown.task.needs),
            "state": shown.state,
            "seconds": round(shown.seconds, 3),
            "tokens": shown.tokens,
            "result": None if shown.result is None else shown.result.model_dump(mode="json"),
            "error": shown.error or None,
            "notes": shown.notes,
            "steps": [_step_json(step) for step in shown.steps],
        }
        for shown in view.tasks.values()
    ]


def plan_json(plan: PlanMade) -> dict[str, Any]:
    """A plan for programs."""
    tasks = [{**task.model_dump(mode="json"), "depends_on": list(task.needs)} for task in plan.tasks]
    return {"strategy": plan.strategy, "notes": list(plan.notes), "tasks": tasks}


def print_json(value: Any) -> None:
    """Exactly one JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()


def _step_json(step: StepView) -> dict[str, Any]:
    return {
        "name": step.name,
        "key": step.key,
        "state": step.state,
        "inputs": step.inputs,
        "output": step.output,
        "error": step.error or None,
        "seconds": round(step.seconds, 3),
        "tokens": step.tokens,
    }
