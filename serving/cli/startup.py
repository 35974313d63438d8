"""Owns where the engine's start-up is shown when one house serves several screens, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..engines import Progress
    from .screen import Screen


class Startup:
    """Passes progress on to the screen of the moment; without one it is not shown."""

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
