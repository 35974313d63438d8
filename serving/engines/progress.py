"""Owns `Progress`: how far a long step of an engine is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step's state: `done` of `total` bytes, or of 100 percent; `total` is None where it cannot be measured.

    A new `stage` text begins a new step and ends the one before it.
    """

    stage: str
    done: int = 0
    total: int | None = None


OnProgress = Callable[[Progress], None]


def unseen(progress: Progress) -> None:
    """The `OnProgress` of callers that show nothing."""
