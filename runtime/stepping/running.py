"""Running: what all contexts of one run share: its journal, who listens, its limits, its steps at work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..budget import Meter
from ..events import BudgetLow, Event
from ..graph import Task
from ..journalling.journal import Journal
from ..journalling.steps import Step
from .lanes import Lanes

Listener = Callable[[Event], None]
"""Is told of every event as it happens. Called on the event loop: it must return at once."""

Growth = Callable[[str, Sequence[Task], Sequence[str]], Sequence[Task]]
"""Lays tasks into the running graph, and gives back those that were not in it yet: `RunContext.add_tasks`."""

_log = logging.getLogger(__name__)


class Running:
    """One run under way. `at_work` holds the steps whose functions run just now, by what makes them themselves."""

    __slots__ = ("at_work", "began", "grow", "journal", "lanes", "listeners", "meter", "seconds_left")

    def __init__(
        self,
        journal: Journal,
        meter: Meter,
        listeners: tuple[Listener, ...],
        lanes: Lanes,
    ) -> None:
        self.journal = journal
        self.meter = meter
        self.listeners = listeners
        self.lanes = lanes
        self.grow: Growth | None = None
        self.seconds_left: Callable[[], float] | None = None
        self.began = journal.record.created if journal.record is not None else 0.0
        self.at_work: dict[str, list[tuple[asyncio.Task[Any] | None, Step]]] = {}

    def write(self, event: Event) -> None:
        """Journal an event and tell the listeners, without waiting until it is safe."""
        event = timed(event)
        self.journal.write(event)
        self.publish(event)

    async def record(self, event: Event, *, wait: bool) -> None:
        """Journal an event and tell the listeners; wait until it is safe where asked, or where too many are not."""
        safe = self.journal.write(event, wait=wait or self.journal.crowded)
        if safe is not None:
            await safe
        self.publish(event)

    def publish(self, event: Event) -> None:
        """Tell the listeners. One that fails does not stop the run."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("A listener failed on %s; the run goes on.", event.kind)

    def tell_low(self, task_id: str, meter: Meter) -> None:
        """Say which soft limits have been reached just now."""
        for low in meter.newly_low():
            self.write(BudgetLow(task_id=task_id, of=low.of, what=low.what, used=low.used, limit=low.limit))


def timed(event: Event) -> Event:
    """The event, with the present time if it has none."""
    return event if event.at else event.model_copy(update={"at": time.time()})
