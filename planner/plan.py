"""A plan: a checked list of tasks, how it was made, and the words for why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..runtime.graph import Task

Strategy = Literal["small_talk", "rules", "model", "direct"]


class Finding(BaseModel):
    """Something wrong with a plan: which task, what, and how to mend it."""

    model_config = ConfigDict(frozen=True)

    task: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{'The plan' if self.task == '-' else f'Task {self.task}'}: {self.problem}; {self.mend}."


class Plan(BaseModel):
    """Tasks to carry out. The last one gives the answer. `notes` say for people how it came about."""

    model_config = ConfigDict(frozen=True)

    tasks: tuple[Task, ...]
    strategy: Strategy
    notes: tuple[str, ...] = ()


def listed(findings: Sequence[Finding]) -> str:
    """Findings as one text, for a person or as a repair prompt."""
    return " ".join(str(finding) for finding in findings)
