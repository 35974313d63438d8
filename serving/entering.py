"""Entering: how a request comes in and is written down with its run, and how it is read back from there."""

from __future__ import annotations

from typing import Any

from ..agents.model import Message
from ..planner.ways import Mode
from ..runtime.budget import Budget
from ..runtime.errors import InvalidRequest
from ..runtime.store import RunRecord
from .conversing import role_of
from .settings import MAX_REQUEST_CHARS


def checked_request(request: str) -> str:
    """The request, trimmed.

    Raises:
        InvalidRequest: it is empty or longer than a local model could read.
    """
    text = request.strip()
    if not text:
        raise InvalidRequest("The request is empty: say what you want to know or have done.")
    if len(text) > MAX_REQUEST_CHARS:
        raise InvalidRequest(
            f"The request has {len(text):,} characters, and at most {MAX_REQUEST_CHARS:,} are read: "
            "shorten it, or put the text in a document to search."
        )
    return text


def options_of(record: RunRecord) -> tuple[Mode, Budget, list[Message]]:
    """What a run was started with: who plans, its budget, what was said before."""
    options: dict[str, Any] = dict(record.options)
    history = [Message(role_of(m["role"]), m["content"]) for m in options.get("history", ())]
    return options.get("planner", "auto"), Budget(**options.get("budget", {})), history


def history_of(record: RunRecord | None) -> list[Message]:
    """The messages that a run was started with."""
    return options_of(record)[2] if record is not None else []
