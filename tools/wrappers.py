"""Wrappers: small things around a function that is called: a thread, a time limit, what its errors mean."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..runtime.errors import ToolError

Function = Callable[..., Awaitable[Any]]


def in_thread(fn: Callable[..., Any]) -> Function:
    """A sync function run in a thread; an async one as it is."""
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None)):  # noqa: B004
        return fn

    async def run(*args: Any, **values: Any) -> Any:
        return await asyncio.to_thread(fn, *args, **values)

    return run


def timed(fn: Function, seconds: float | None, late: Callable[[], Exception]) -> Function:
    """The function with so many seconds to answer; then it is cancelled and `late()` is raised.

    A thread cannot be stopped: a sync function goes on, unheard.
    """
    if seconds is None:
        return fn

    async def run(**values: Any) -> Any:
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                return await fn(**values)
        except TimeoutError:
            if timer.expired():
                raise late() from None
            raise

    return run


def failing_as_tool(fn: Function, name: str) -> Function:
    """The function, whose errors are all `ToolError`: the call failed, and may be made again."""

    async def run(**values: Any) -> Any:
        try:
            return await fn(**values)
        except ToolError:
            raise
        except Exception as error:
            raise ToolError(f"The tool {name} failed: {type(error).__name__}: {error}") from error

    return run


def failing_as_doubt(fn: Function, name: str) -> Function:
    """The function, whose `ToolError` says that nothing has happened; any other error stays what it is.

    A step takes it so: after any other error nobody knows whether the effect has happened, and it is not called
    again unasked.
    """

    async def run(**values: Any) -> Any:
        try:
            return await fn(**values)
        except ToolError:
            raise
        except Exception as error:
            error.add_note(f"in the tool {name}, which is called once: it may have happened all the same")
            raise

    return run
