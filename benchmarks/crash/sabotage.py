"""Sabotage: a runtime that breaks its promises on purpose, so that a test can see whether the sweep finds it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from crash.trap import replace
from crewgraph.runtime.events import Event, StepFinished, StepIntended
from crewgraph.runtime.journalling.journal import Journal
from crewgraph.runtime.stepping.live_step import LiveStep
from crewgraph.runtime.store.sqlite.writer import Writer


async def _nothing() -> None:
    return None


def forget_intents() -> None:
    """Intents are not journalled."""
    write = Journal.write

    def careless(journal: Journal, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
        if isinstance(event, StepIntended):
            return _nothing() if wait else None
        return write(journal, event, wait=wait)

    replace(Journal, "write", careless)


def forget_results() -> None:
    """Some results are said to be safe, and are not journalled."""
    write = Journal.write

    def careless(journal: Journal, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
        if isinstance(event, StepFinished) and event.key[0] in "0":
            return _nothing() if wait else None
        return write(journal, event, wait=wait)

    replace(Journal, "write", careless)


def run_again() -> None:
    """A step in doubt is run again unasked."""

    async def settled(self: LiveStep[Any]) -> bool:
        return False

    replace(LiveStep, "settled", settled)


def do_not_wait() -> None:
    """What is said to be safe may still be on its way, which is a slow one."""
    write, commit = Journal.write, Writer._commit

    def hasty(journal: Journal, event: Event, *, wait: bool = False) -> Awaitable[None] | None:
        write(journal, event)
        return _nothing() if wait else None

    def slow(writer: Writer, group: Any) -> Any:
        time.sleep(0.01)
        return commit(writer, group)

    replace(Journal, "write", hasty)
    replace(Writer, "_commit", slow)


WAYS: dict[str, Callable[[], None]] = {
    "forget-intents": forget_intents,
    "forget-results": forget_results,
    "run-again": run_again,
    "do-not-wait": do_not_wait,
}
