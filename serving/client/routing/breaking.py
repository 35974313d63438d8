"""Owns breaking off what a task waits for, from outside and with an error of its own, apart from its cancellation."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Breakable:
    """``with breakable: piece = await …`` ends with the error that was given to `break_off` meanwhile.

    `asyncio.timeout` for many waits instead of one block: it may be entered any number of times, each time by another
    task, and between two waits (where a reader holds a piece of a stream) nobody is interrupted: the next wait then
    raises at once. A cancellation from elsewhere stays one.
    """

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._task: asyncio.Task[Any] | None = None
        self._before = 0
        self._cut = False

    @property
    def waiting(self) -> bool:
        """Whether somebody waits just now."""
        return self._task is not None

    def break_off(self, error: Exception) -> None:
        """End the wait, or the next one; the first error counts."""
        if self._error is None:
            self._error = error
            if self._task is not None:
                self._cut = True
                self._task.cancel()

    def __enter__(self) -> None:
        if self._error is not None:
            raise self._error
        task = asyncio.current_task()
        assert task is not None, "only a task can be broken off"
        self._task, self._before = task, task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._cut and task is not None:
            self._cut = False
            mine = task.uncancel() <= self._before
            if mine and isinstance(error, asyncio.CancelledError) and self._error is not None:
                raise self._error from error
