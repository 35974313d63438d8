"""A plan: a checked list of tasks, how it was made, what it is thought to take, and the words for why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from ..runtime.graph import Task

ANSWER = "answer"
"""Id of the task that answers, where the planner made it."""

Severity = Literal["wrong", "mended", "note"]
"""Whether a finding forbids the plan, was put right already, or is only said."""


class Finding(BaseModel):
    """Something about a plan that its author should know: which task (``-``: the whole plan), what, and how to mend it."""

    model_config = ConfigDict(frozen=True)

    task: str
    problem: str
    mend: str
    severity: Severity = "wrong"

    def __str__(self) -> str:
        return f"{'The plan' if self.task == '-' else f'Task {self.task}'}: {self.problem}; {self.mend}."


class TaskEstimate(BaseModel):
    """What one task is thought to take. `measured` is how many past calls that rests on; 0 is a guess.

    Of a task that is done for each of a list, `seconds` are those of one entry, and the rest is that of all of them.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float = 0.0
    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0
    measured: int = 0


class Estimate(BaseModel):
    """What a plan is thought to take: all its work, and `critical_seconds`, the longest chain of it, which is how long
    a run takes at least. `path` are the tasks of that chain."""

    model_config = ConfigDict(frozen=True)

    seconds: float = 0.0
    critical_seconds: float = 0.0
    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0
    path: tuple[str, ...] = ()
    tasks: dict[str, TaskEstimate] = {}


class Plan(BaseModel):
    """Tasks to carry out. The last one gives the answer. `notes` say for people how it came about.

    `strategy` names who made it. `missing` says for people what the plan gave up on, each in one sentence: it stands in
    the answer. `findings` are those the checker did not refuse it for.
    """

    model_config = ConfigDict(frozen=True)

    tasks: tuple[Task, ...]
    strategy: str
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    estimate: Estimate | None = None
    missing: tuple[str, ...] = ()

    @property
    def estimate_json(self) -> JsonValue:
        """The estimate as events keep it."""
        return self.estimate.model_dump(mode="json") if self.estimate is not None else None


def listed(findings: Sequence[Finding]) -> str:
    """Findings as one text, for a person or as a repair prompt."""
    return " ".join(str(finding) for finding in findings)


def wrong(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that forbid a plan."""
    return [finding for finding in findings if finding.severity == "wrong"]
