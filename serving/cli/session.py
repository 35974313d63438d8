"""Owns what every command starts from: the settings of this call, and the way into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...runtime.errors import InvalidInput, NotFound
from ..settings import Settings
from .failure import TERMINATED, Stopped

if TYPE_CHECKING:
    from ...runtime.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line: where things live, which model is meant, how much to tell."""

    settings: Settings
    debug: bool = False

    @classmethod
    def make(
        cls, home: str | None, database: str | None, model_url: str | None, model: str | None, *, debug: bool
    ) -> Session:
        """Settings from the environment, with the options of this call over them.

        Raises:
            InvalidInput: the database is none that could be opened.
        """
        settings = Settings()
        if home:
            settings = replace(settings, home=Path(home).expanduser())
        if database:
            settings = replace(settings, database_url=database)
        if model_url:
            settings = replace(settings, model_url=model_url)
        if model:
            settings = replace(settings, model=model)
        if settings.database_url and "://" not in settings.database_url:
            raise InvalidInput(
                f"{settings.database_url!r} is no database: write postgresql://user@host/name or sqlite:///file."
            )
        return cls(settings, debug)

    def store(self) -> AbstractAsyncContextManager[Store]:
        """The store of this call, opened as ``async with``. Raises `StoreError` then."""
        from ...runtime.store import open_store

        settings = self.settings
        return open_store(
            settings.database, synchronous=settings.durability, key=settings.database_keys or None
        )

    def past(self, which: str) -> AbstractAsyncContextManager[Store]:
        """The store in which the run (or conversation) `which` has to be.

        Raises:
            NotFound: nothing has been kept yet, and no database is made only to say so.
        """
        if not self.settings.has_runs:
            raise NotFound(f"There is no {which!r}: nothing has been run in {self.settings.home} yet.")
        return self.store()


def block_on(work: Coroutine[Any, Any, T]) -> T:
    """Run async work to its end. Ctrl-C and SIGTERM cancel it, let it clean up, and raise Stopped."""
    try:
        return asyncio.run(_until_terminated(work))
    except KeyboardInterrupt:
        raise Stopped from None


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    with contextlib.suppress(NotImplementedError):  # no signals in the loop on Windows
        loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await work
    except asyncio.CancelledError:
        if terminated:
            raise Stopped("stopped", TERMINATED) from None
        raise
    except Stopped as stopped:
        if terminated:
            stopped.exit_code = TERMINATED
        raise
