"""A remote task as its updates tell it, folded into what it has come to."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from .telling import INPUT_REQUIRED, OVER

_AUTH_REQUIRED = "TASK_STATE_AUTH_REQUIRED"


class Ended(BaseModel):
    """How a remote task came to rest: its state, its answer, and what it asks where it asks something.

    `questions` and `evidence` are there where the remote agent is a crew of ours.
    """

    model_config = ConfigDict(frozen=True)

    state: str
    text: str = ""
    value: JsonValue = None
    said: str = ""
    questions: tuple[dict[str, JsonValue], ...] = ()
    evidence: tuple[str, ...] = ()
    mark: str = ""


class Fold:
    """One remote task so far. `answered` is the mark of the question that was answered last: it may be told once more."""

    def __init__(self, answered: str = "") -> None:
        self._answered = answered
        self.task_id = ""
        self.context_id = ""
        self.state = ""
        self.direct: str | None = None
        self._status: dict[str, Any] = {}
        self._artifacts: dict[str, list[dict[str, Any]]] = {}
        self._last_said = ""
        self._evidence: dict[str, None] = {}

    @property
    def at_rest(self) -> bool:
        """Whether nothing more comes unless something is said to it."""
        if self.state == INPUT_REQUIRED and self._answered and self._mark() == self._answered:
            return False
        return self.direct is not None or self.state in OVER or self.state in (INPUT_REQUIRED, _AUTH_REQUIRED)

    def take(self, update: dict[str, Any]) -> str:
        """One update, as a stream or an answer brings it; the text in it that is new."""
        if message := update.get("message"):
            self.direct = _text(message.get("parts"))
            return self.direct
        if task := update.get("task"):
            return self.take_task(task)
        if changed := update.get("statusUpdate"):
            self._ids(changed.get("taskId"), changed.get("contextId"))
            self._take_status(changed.get("status") or {})
        elif changed := update.get("artifactUpdate"):
            self._ids(changed.get("taskId"), changed.get("contextId"))
            artifact = changed.get("artifact") or {}
            self._rests_on(artifact)
            parts = self._artifacts.setdefault(artifact.get("artifactId", ""), [])
            if not changed.get("append"):
                parts.clear()
            parts.extend(artifact.get("parts") or [])
            return _text(artifact.get("parts"))
        return ""

    def take_task(self, task: dict[str, Any]) -> str:
        """The whole task as it is now; the text of it that is new."""
        before = self._answer()
        self._ids(task.get("id"), task.get("contextId"))
        self._take_status(task.get("status") or {})
        if "artifacts" in task:
            self._artifacts = {a.get("artifactId", ""): list(a.get("parts") or []) for a in task["artifacts"]}
            for artifact in task["artifacts"]:
                self._rests_on(artifact)
        said = [m for m in task.get("history") or [] if m.get("role") == "ROLE_AGENT"]
        if said:
            self._last_said = _text(said[-1].get("parts"))
        now = self._answer()
        return now[len(before) :] if now.startswith(before) else now

    def ended(self) -> Ended:
        """How it came to rest."""
        if self.direct is not None:
            return Ended(state="TASK_STATE_COMPLETED", text=self.direct)
        message = self._status.get("message") or {}
        said = _text(message.get("parts"))
        data = [p["data"] for parts in self._artifacts.values() for p in parts if p.get("data") is not None]
        asked = (message.get("metadata") or {}).get("questions")
        questions = [q for q in asked if isinstance(q, dict)] if isinstance(asked, list) else []
        return Ended(
            state=self.state,
            text=self._answer() or said or self._last_said,
            value=data[0] if data else None,
            said=said,
            questions=tuple(questions),
            evidence=tuple(self._evidence),
            mark=self._mark(),
        )

    def _rests_on(self, artifact: dict[str, Any]) -> None:
        lines = (artifact.get("metadata") or {}).get("evidence")
        self._evidence |= (
            {line: None for line in lines if isinstance(line, str)} if isinstance(lines, list) else {}
        )

    def _answer(self) -> str:
        return "\n\n".join(text for parts in self._artifacts.values() if (text := _text(parts)))

    def _mark(self) -> str:
        """What tells this status from a later one in the same state."""
        said = (self._status.get("message") or {}).get("messageId", "")
        return f"{self._status.get('timestamp', '')} {said}".strip()

    def _take_status(self, status: dict[str, Any]) -> None:
        self._status = status
        self.state = status.get("state", self.state)

    def _ids(self, task_id: str | None, context_id: str | None) -> None:
        self.task_id = task_id or self.task_id
        self.context_id = context_id or self.context_id


def _text(parts: Any) -> str:
    """The text of parts; those that streams append to one another are one text."""
    return "".join(
        part.get("text") or part.get("url") or "" for part in parts or () if isinstance(part, dict)
    )
