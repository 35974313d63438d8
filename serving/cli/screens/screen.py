"""Owns how a run is shown while it goes on: live in a terminal, as plain lines elsewhere, or not at all.

The engine's start-up is shown there too; `Startup` finds the screen of the moment where there are several.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from .view import RunView

if TYPE_CHECKING:
    from ....runtime.events import Event
    from ...engines import Progress


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


class Startup:
    """Passes progress on to the screen of the moment, for one house with several screens, one after the other.

    Without a screen it is not shown.
    """

    def __init__(self) -> None:
        self._screen: Screen | None = None

    def progress(self, progress: Progress) -> None:
        """Show it on the screen of the moment."""
        if self._screen is not None:
            self._screen.progress(progress)

    @contextmanager
    def shown_on(self, screen: Screen) -> Iterator[None]:
        """Inside, progress goes to this screen."""
        self._screen = screen
        try:
            yield
        finally:
            self._screen = None
