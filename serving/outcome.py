"""Outcome: what came of a run."""

from __future__ import annotations

from dataclasses import dataclass

from ..runtime.events import RunFinished


@dataclass(frozen=True)
class Outcome:
    """What came of a run: the answer, what it rests on, and what it cost."""

    run_id: str
    thread_id: str | None
    answer: str
    evidence: tuple[str, ...]
    seconds: float
    tokens: int

    @classmethod
    def of(cls, run_id: str, thread_id: str | None, finished: RunFinished) -> Outcome:
        """The outcome of a run that ended so."""
        return cls(run_id, thread_id, finished.answer, finished.evidence, finished.seconds, finished.tokens)
