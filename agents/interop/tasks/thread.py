"""Owns `in_own_thread`: blocking work of another framework, in a thread that is there for it alone."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T], name: str) -> T:
    """What `work` gives. It sees the context variables of here; cancelled, it is left to end at its next call.

    Not the loop's own few threads: a crew waits in its thread for tools that need one of those.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(_raisable(error))
        else:
            done.set_result(cast("T", value))  # there is a value where there is no error

    def run() -> None:
        value: T | None = None
        failed: BaseException | None = None
        try:
            value = context.run(work)
        except BaseException as error:  # Suspended and cancellation among them: they belong to who waits
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, value, failed)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def _raisable(error: BaseException) -> BaseException:
    if isinstance(error, StopIteration):  # no future takes it
        return RuntimeError("the work raised StopIteration")
    return error
