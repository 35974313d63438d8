"""Owns the words of an answer that may be sent while a model still writes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...planner.plan import ANSWER
from ...runtime.events import PlanMade, TasksAdded, TextDelta

if TYPE_CHECKING:
    from ...runtime.events import Event


class Words:
    """A listener that hands on what the answering task's model writes.

    Only text that nothing can take back is published while it is written (a draft that is still to be held against
    the evidence is not), so what comes out here is the beginning of the answer.
    """

    def __init__(self) -> None:
        self.sent = ""
        self._answering = ""
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def event(self, event: Event) -> None:
        """One event of the run."""
        if isinstance(event, PlanMade):
            self._answering = event.tasks[-1].id if event.tasks else ""
        elif isinstance(event, TasksAdded) and any(task.id == ANSWER for task in event.tasks):
            self._answering = ANSWER
        elif isinstance(event, TextDelta) and event.task_id == self._answering:
            self._queue.put_nowait(event.text)

    async def next(self) -> str:
        """The next words, as they come; white space before the first is dropped, as the answer's is."""
        piece = await self._queue.get()
        if not self.sent:
            piece = piece.lstrip()
        self.sent += piece
        return piece

    def rest(self, answer: str) -> str:
        """What of the answer has not been sent."""
        while not self._queue.empty():
            self._queue.get_nowait()
        begun = self.sent.rstrip()
        return (
            answer[len(begun) :].removeprefix(self.sent[len(begun) :])
            if answer.startswith(begun)
            else f"\n\n{answer}"
        )
