"""A virtual clock for work that also waits for threads, as a database does: only waiting for time moves it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

PATIENCE = 0.001
"""So many real seconds a thread has to answer, each time before the clock is moved on."""


class _Patient(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        found = super().select(PATIENCE)
        if not found:
            self.now += timeout
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._patient = _Patient()
        super().__init__(self._patient)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._patient.now


def run_while_threads_work(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine, with no time lost in waiting but for threads."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
