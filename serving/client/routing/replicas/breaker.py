"""Owns when an engine that fails is left alone, and when it is tried again. Values only: the caller has the clock."""

from __future__ import annotations

import math
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Breaker:
    """A circuit breaker. Closed: requests go through. Open: none do, for a time. Half-open: one goes, to see.

    It opens at `failures` of them in a row, for `pause_s`; each time that the one request of the half-open state fails,
    for twice as long as before, up to `longest_s`. Failures of requests that began before it opened change nothing.
    """

    def __init__(self, *, failures: int = 3, pause_s: float = 1.0, longest_s: float = 60.0) -> None:
        self._most = failures
        self._first_s = self._pause_s = pause_s
        self._longest_s = longest_s
        self._failures = 0
        self._until = 0.0
        self.state: State = "closed"

    @property
    def free_at(self) -> float:
        """When a request may go through: 0 for at once, infinity while the one that is to see is under way."""
        if self.state == "half-open":
            return math.inf
        return self._until if self.state == "open" else 0.0

    def enter(self) -> bool:
        """A request goes through, its time has come. True: it is the one that is to see."""
        if self.state == "open":
            self.state = "half-open"
            return True
        return False

    def began(self) -> bool:
        """An answer has begun: where one was to see, others go through, but the next failure counts as the last.

        True: so it was.
        """
        if self.state != "half-open":
            return False
        self.state = "closed"
        self._failures = self._most - 1
        return True

    def succeeded(self) -> None:
        """An answer was whole."""
        self.state, self._failures, self._pause_s = "closed", 0, self._first_s

    def failed(self, now: float, *, trial: bool) -> None:
        """A request failed, and the engine is to blame. `trial` is what `enter` said of it."""
        if self.state == "closed":
            self._failures += 1
            if self._failures >= self._most:
                self._open(now)
        elif self.state == "half-open" and trial:
            self._open(now)

    def left(self, now: float, *, trial: bool) -> None:
        """A request was given up by whoever made it, so nothing was learnt: the next one may see."""
        if self.state == "half-open" and trial:
            self.state, self._until = "open", now

    def _open(self, now: float) -> None:
        self.state, self._until = "open", now + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._longest_s)
