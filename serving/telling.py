"""Telling: the state of each task as people see it, and runs and questions as JSON, on the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runtime.events import Event
    from ..runtime.reading.history import RunSummary, TaskSummary
    from ..runtime.reading.questions import Question
    from ..runtime.store import RunRecord
    from .house import Outcome

_SHORT = 8
"""A question's key is shown with so many signs at least."""


def state_of(task: TaskSummary, run: RunSummary) -> str:
    """The task's state: waiting, asking (a person), retrying, running, stopped, finished, failed or skipped.

    One that was under way when its run ended was stopped.
    """
    if task.state == "running":
        return "running" if run.outcome == "running" else "stopped"
    if task.state != "waiting":
        return task.state
    if any(question.task_id == task.id for question in run.questions):
        return "asking"
    return "retrying" if task.attempts and task.error else "waiting"


def notes_of(run: RunSummary) -> list[str]:
    """What a person should know about the run as a whole, each thing once."""
    return list(dict.fromkeys([*run.plan_notes, *run.notes]))


def short_keys(questions: Sequence[Question]) -> dict[str, str]:
    """For each key the shortest beginning that names this one question alone."""
    keys = [question.key for question in questions]
    return {key: _short(key, [other for other in keys if other != key]) for key in keys}


def _short(key: str, others: Iterable[str]) -> str:
    clashing = list(others)
    for length in range(_SHORT, len(key)):
        if not any(other.startswith(key[:length]) for other in clashing):
            return key[:length]
    return key


def question_json(question: Question, run_id: str) -> dict[str, Any]:
    """An open question; `step` is the name of the step that asks."""
    told = asdict(question)
    return {"run_id": run_id, "key": told.pop("key"), "step": told.pop("name"), **told}


def outcome_json(outcome: Outcome, run: RunSummary) -> dict[str, Any]:
    """What a run came to, with the plan and every task's result."""
    return {
        "run_id": outcome.run_id,
        "thread_id": outcome.thread_id,
        "answer": outcome.answer,
        "evidence": list(outcome.evidence),
        "seconds": round(outcome.seconds, 3),
        "tokens": outcome.tokens,
        "tool_calls": run.tool_calls,
        "money": run.money,
        "forked_from": run.forked_from[0] if run.forked_from else None,
        "strategy": run.strategy,
        "intent": run.intent or None,
        "estimate": run.estimate,
        "changes": [asdict(change) for change in run.changes],
        "missing": list(run.missing),
        "notes": notes_of(run),
        "tasks": [task_json(task, run) for task in run.tasks],
    }


def record_json(record: RunRecord, run: RunSummary) -> dict[str, Any]:
    """A journalled run: everything the inspector shows."""
    return {
        **asdict(record),
        "run_id": record.id,
        "answer": run.answer or record.answer,
        "evidence": list(run.evidence),
        "error": run.error or record.error or None,
        "seconds": round(run.seconds or record.seconds, 3),
        "tool_calls": run.tool_calls,
        "money": run.money,
        "forked_at": run.forked_from[1] if run.forked_from else None,
        "resumed": run.resumed,
        "strategy": run.strategy,
        "intent": run.intent or None,
        "estimate": run.estimate,
        "changes": [asdict(change) for change in run.changes],
        "missing": list(run.missing),
        "notes": notes_of(run),
        "questions": [question_json(question, record.id) for question in run.questions],
        "steps": [asdict(step) for step in run.steps],
        "tasks": [task_json(task, run) for task in run.tasks],
    }


def task_json(task: TaskSummary, run: RunSummary) -> dict[str, Any]:
    """One task of a run, as it was planned and as it went."""
    planned = next((found for found in run.plan if found.id == task.id), None)
    return {
        **({} if planned is None else planned.model_dump(mode="json")),
        "id": task.id,
        "description": task.description,
        "agent": task.agent,
        "depends_on": list(task.needs),
        "tool": task.tool,
        "state": state_of(task, run),
        "attempts": task.attempts,
        "added_by": task.added_by,
        "seconds": round(task.seconds, 3),
        "tokens": task.tokens,
        "result": None if task.result is None else task.result.model_dump(mode="json"),
        "error": task.error or None,
        "notes": task.notes,
        "steps": [asdict(step) for step in task.steps],
    }


def events_json(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The events of a run; `seq` is the number by which a fork names one."""
    return [{"seq": seq, **event.model_dump(mode="json")} for seq, event in enumerate(events, 1)]
