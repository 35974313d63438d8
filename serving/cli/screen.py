"""Owns how a run is shown while it goes on: live in a terminal, as plain lines elsewhere, or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from .view import RunView

if TYPE_CHECKING:
    from ...runtime.events import Event
    from ..engines import Progress


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where a run's events and the engine's start-up are shown. `view` is the run so far."""

    view: RunView

    def event(self, event: Event) -> None:
        """Something happened in the run."""
        ...

    def recall(self, events: Iterable[Event]) -> None:
        """Take in what an earlier sitting of the run has told: its request and its plan. Shows nothing."""
        ...

    def progress(self, progress: Progress) -> None:
        """The engine is being fetched or started."""
        ...


def in_terminal() -> bool:
    """Whether stdout can show a picture that changes."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


def open_screen(*, json: bool = False) -> Screen:
    """The screen that fits where stdout goes. With `json` nothing is written to stdout."""
    if not json and in_terminal():
        from .live import LiveScreen

        return LiveScreen()
    from .plain import PlainScreen

    return PlainScreen(quiet=json)
