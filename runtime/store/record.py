"""RunRecord, ThreadRecord, ThreadMessage, ThreadSummary: what a store tells of a run and of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

RunStatus = Literal["running", "waiting", "finished", "failed", "cancelled", "interrupted"]
"""`waiting`: for a person. `interrupted`: it is not over, and no process carries it out; never stored, only told."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run in one line. Times are seconds since the epoch; `options` is plain JSON.

    `parent` is the run that this one carries a task of, on another machine; `forked_from` the run that it goes on
    from. `tokens`, `tool_calls`, `money` and `seconds` are what it has used when it last came to rest.
    """

    id: str
    crew: str
    crew_path: str
    request: str
    status: RunStatus
    created: float
    finished: float | None = None
    thread_id: str | None = None
    answer: str = ""
    error: str = ""
    tokens: int = 0
    model: str = ""
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    tenant: str = ""
    parent: str | None = None
    forked_from: str | None = None
    tool_calls: int = 0
    money: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What several runs together have used."""

    runs: int = 0
    tokens: int = 0
    tool_calls: int = 0
    money: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ThreadRecord:
    """A conversation."""

    id: str
    created: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a conversation, and the run that it asked for or came from. Numbers only grow, with gaps."""

    thread_id: str
    role: str
    content: str
    at: float
    run_id: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A summary of a conversation up to the message numbered `upto`.

    `content` is its words, `state` plain JSON from which the next one is made, `run_id` the run in which a model wrote it.
    """

    thread_id: str
    number: int
    upto: int
    content: str
    state: JsonValue
    at: float
    run_id: str | None = None
