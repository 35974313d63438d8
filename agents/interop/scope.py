"""Owns `CallScope`: the calls that threads of other frameworks make for one piece of work, ended with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar, Token
from typing import Any, TypeVar

T = TypeVar("T")


class CallScope:
    """Model calls made inside a ``with`` block end with the block, whichever threads made them.

    A coroutine that is cancelled cannot stop the threads it started, and CrewAI and LangGraph call models from
    threads even where their door is async. So a crew that may be cancelled is run inside a scope::

        with CallScope():
            await crew.akickoff()

    Leaving the block, by an error or cancellation too, frees the engine; calls begun in it later are refused with
    `asyncio.CancelledError`, which no ``except Exception`` swallows. `cancel` does the same from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        self._ended = False
        self._token: Token[CallScope | None] | None = None

    def __enter__(self) -> CallScope:
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
        self.cancel()

    def cancel(self) -> None:
        """End the calls under way, and refuse those that come later."""
        with self._lock:
            self._ended = True
            under_way = list(self._under_way)
        for future in under_way:
            future.cancel()

    def begin(self, start: Callable[[], Future[T]]) -> Future[T]:
        """Start a call that ends with the scope. Raises `asyncio.CancelledError`: the scope has ended."""
        with self._lock:
            if self._ended:
                raise asyncio.CancelledError("the work that this model call belongs to has ended")
            future = start()
            self._under_way.add(future)
        future.add_done_callback(self._drop)
        return future

    def _drop(self, future: Future[Any]) -> None:
        with self._lock:
            self._under_way.discard(future)


_current: ContextVar[CallScope | None] = ContextVar("crewgraph_call_scope", default=None)


def current_scope() -> CallScope | None:
    """The innermost scope that this code runs in; threads that frameworks start inherit it."""
    return _current.get()
