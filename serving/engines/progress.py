"""Owns `Progress`: how far a long step of an engine is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step's state. `done` and `total` share a unit, named by `unit`; total None means it is not known.

    A step is over when `done` equals `total`; a new `stage` text begins a new step.
    """

    stage: str
    done: int = 0
    total: int | None = None
    unit: str = "bytes"


OnProgress = Callable[[Progress], None]


def unseen(progress: Progress) -> None:
    """The `OnProgress` of callers that show nothing."""
