"""Queues: where work waits until a worker takes it, and how much of it may be under way at once."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from ...errors import InvalidInput

RUNS = "runs"
"""The queue of whole runs."""
TASKS = "tasks"
"""The queue of tasks that name no other."""

EACH = 8
"""How many of a queue one worker carries at once, where nobody has said otherwise."""

_POLL_RUNS = 0.2
_POLL_TASKS = 0.05


class Queue(NamedTuple):
    """A queue to take work from, and how many of its tasks may be under way at once in the whole cluster."""

    name: str
    at_once: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The queue that ``name`` or ``name=limit`` means. Raises `InvalidInput`."""
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9_.\-]{0,62})(?:=([1-9][0-9]{0,5}))?", text)
        if found is None:
            raise InvalidInput(
                f"{text!r} is no queue: write a name, or name=limit with a limit of 1 or more."
            )
        return cls(found[1], int(found[2]) if found[2] else None)

    @property
    def poll_seconds(self) -> float:
        """How often a worker that has room looks whether there is something on it. DBOS knows no other way."""
        return _POLL_RUNS if self.name == RUNS else _POLL_TASKS


BOTH = (Queue(RUNS), Queue(TASKS))
"""What a worker takes work from where nothing else is said: whole runs, and tasks."""
