"""A run told as an A2A task: its state, its answer as an artifact with the evidence, what was said, what it asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from ...planner.planner import REFUSED
from ...runtime.errors import Rejected
from ...runtime.events import Answered, Asked, Event, Noted, RunErred
from ...runtime.reading.history import RunSummary, summarise
from ..telling import question_json

if TYPE_CHECKING:
    from ...runtime.reading.questions import Question
    from ...runtime.store import RunRecord

CANCELLED = "Cancelled by its A2A client."
"""Noted in a run that is over for good; one that its server's end cancelled goes on when it is asked for."""

SUBMITTED, WORKING = "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"
COMPLETED, FAILED = "TASK_STATE_COMPLETED", "TASK_STATE_FAILED"
CANCELED, REJECTED = "TASK_STATE_CANCELED", "TASK_STATE_REJECTED"
INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
OVER = frozenset({COMPLETED, FAILED, CANCELED, REJECTED})
"""The states after which a task takes no more messages."""


def context_of(record: RunRecord) -> str:
    """The conversation that a run belongs to; one that belongs to none is its own."""
    return record.thread_id or record.id


def task_of(record: RunRecord, events: Sequence[Event], questions: Sequence[Question] = ()) -> dict[str, Any]:
    """The whole task. `questions` are those that wait for an answer."""
    run = summarise(events)
    state = _state(record, run, events)
    said: dict[str, Any] | None = None
    if state == INPUT_REQUIRED:
        said = _asking(record, questions)
    elif state in (FAILED, REJECTED):
        said = message(record, "status", run.error or run.answer or record.error or "It failed.")
    task: dict[str, Any] = {
        "id": record.id,
        "contextId": context_of(record),
        "status": status(state, said, at=events[-1].at if events else record.created),
        "history": _history(record, events),
    }
    if state == COMPLETED:
        answer = run.answer or record.answer
        task["artifacts"] = [artifact(answer, evidence=list(run.evidence), last=True)]
    return task


def under_way(record: RunRecord, *, begun: bool, text: str) -> dict[str, Any]:
    """A task that goes on just now, with the text that was written so far."""
    task: dict[str, Any] = {
        "id": record.id,
        "contextId": context_of(record),
        "status": status(WORKING if begun else SUBMITTED),
        "history": [message(record, "request", record.request, role="ROLE_USER")],
    }
    if text:
        task["artifacts"] = [artifact(text)]
    return task


def status(state: str, said: dict[str, Any] | None = None, *, at: float | None = None) -> dict[str, Any]:
    """A task's status, as of `at` (seconds since the epoch; left out: now)."""
    when = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    stamp = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"state": state, "timestamp": stamp, **({"message": said} if said else {})}


def artifact(text: str, *, evidence: list[str] | None = None, last: bool = False) -> dict[str, Any]:
    """The answer; when it is whole, with what it rests on."""
    told = {"artifactId": "answer", "name": "answer", "parts": [{"text": text, "mediaType": "text/plain"}]}
    return {**told, "metadata": {"evidence": evidence or []}} if last else told


def message(
    record: RunRecord,
    name: str,
    text: str,
    *,
    role: str = "ROLE_AGENT",
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A message of a task; `name` tells it from the task's others."""
    told = {
        "messageId": f"{record.id}/{name}",
        "contextId": context_of(record),
        "taskId": record.id,
        "role": role,
        "parts": [{"text": text}],
    }
    return {**told, "metadata": metadata} if metadata else told


def shortened(task: dict[str, Any], history_length: int | None, *, artifacts: bool = True) -> dict[str, Any]:
    """The task with as much of its history as was wished for."""
    task = dict(task)
    if history_length == 0:
        task.pop("history", None)
    elif history_length is not None and "history" in task:
        task["history"] = task["history"][-history_length:]
    if not artifacts:
        task.pop("artifacts", None)
    return task


def _state(record: RunRecord, run: RunSummary, events: Sequence[Event]) -> str:
    match record.status:
        case "finished":
            return REJECTED if run.strategy == REFUSED else COMPLETED
        case "waiting":
            return INPUT_REQUIRED
        case "failed":
            erred = next((e for e in reversed(events) if isinstance(e, RunErred)), None)
            return REJECTED if erred is not None and erred.code == Rejected.code else FAILED
        case "cancelled" if cancelled_by_client(events):
            return CANCELED
        case _:  # what its server's end broke off goes on when it is asked for
            return WORKING if run.started is not None else SUBMITTED


def cancelled_by_client(events: Sequence[Event]) -> bool:
    """Whether a client asked for the run's end."""
    return any(isinstance(e, Noted) and e.text == CANCELLED and not e.task_id for e in events)


def _asking(record: RunRecord, questions: Sequence[Question]) -> dict[str, Any]:
    """The oldest question, in words; what all of them are stands beside it."""
    told = {"questions": [question_json(question, record.id) for question in questions]}
    text = next(
        (_words(question.question, question.about) for question in questions),
        "All questions are answered: say anything to go on.",
    )
    return message(record, "question", text, metadata=told)


def _history(record: RunRecord, events: Sequence[Event]) -> list[dict[str, Any]]:
    said = [message(record, "request", record.request, role="ROLE_USER")]
    for event in events:
        if isinstance(event, Asked):
            said.append(message(record, event.key, _words(event.question, event.about)))
        elif isinstance(event, Answered):
            answer = event.answer
            value = "" if answer.value is None else f": {_plain(answer.value)}"
            said.append(message(record, f"{event.key}/answer", f"{answer.decision}{value}", role="ROLE_USER"))
    return said


def _words(question: str, about: JsonValue) -> str:
    return question if about is None else f"{question} {_plain(about)}"


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
