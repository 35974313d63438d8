"""Comparison: what a plan was thought to take, beside what it took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...runtime.events import Event
from ...runtime.reading.history import RunSummary, summarise
from ..plan import Estimate

WHOLE = "-"
"""In place of a task's id: the whole plan."""


class Pair(NamedTuple):
    """One task, or the `WHOLE`: what was thought, and what it was. None: it has not ended."""

    task: str
    thought_seconds: float
    thought_tokens: int
    seconds: float | None = None
    tokens: int | None = None
    measured: int = 0
    """How many past calls the thought rested on; of the whole, how many of its tasks rested on any."""

    @property
    def factor(self) -> float | None:
        """How many times longer than thought it took; None where nobody can say."""
        if self.seconds is None or not self.thought_seconds:
            return None
        return self.seconds / self.thought_seconds


class Comparison(NamedTuple):
    """The whole, and each task of the plan that the estimate was made of, in its order."""

    whole: Pair
    tasks: tuple[Pair, ...]

    def of(self, task_id: str) -> Pair | None:
        """The task of this id."""
        return next((pair for pair in self.tasks if pair.task == task_id), None)


def compare(estimate: Estimate, past: RunSummary | Iterable[Event]) -> Comparison:
    """What was thought, beside what the run's history (or its events) tells.

    The whole's seconds are those from the first task's begin to the last one's end, without pauses between sittings, and
    beside them stands the longest chain: planning is in neither. A run that has not finished, or was
    only planned, has no whole.
    """
    run = past if isinstance(past, RunSummary) else summarise(past)
    known = {task.id: task for task in run.tasks}
    tokens = _tokens(run)
    pairs: list[Pair] = []
    for task_id, thought in estimate.tasks.items():
        took = known.get(task_id)
        ended = took is not None and took.state == "finished"
        pairs.append(
            Pair(
                task_id,
                thought.seconds,
                thought.tokens,
                took.seconds if ended and took is not None else None,
                tokens[task_id] if ended else None,
                thought.measured,
            )
        )
    over = run.outcome == "finished" and any(task.started is not None for task in run.tasks)
    whole = Pair(
        WHOLE,
        estimate.critical_seconds,
        estimate.tokens,
        _lasted(run) if over else None,
        sum(tokens.values()) if over else None,
        sum(1 for thought in estimate.tasks.values() if thought.measured),
    )
    return Comparison(whole, tuple(pairs))


def _tokens(run: RunSummary) -> dict[str, int]:
    """What each task took, with its entries where it was done for each of a list."""
    own = {task.id: task.tokens for task in run.tasks}
    of_entries: dict[str, int] = {}
    for task_id in list(own):
        head, dot, number = task_id.rpartition(".")
        if dot and number.isdigit() and head in own:
            of_entries[head] = of_entries.get(head, 0) + own.pop(task_id)
    return {task_id: max(tokens, of_entries.get(task_id, 0)) for task_id, tokens in own.items()}


def _lasted(run: RunSummary) -> float:
    begun = [task for task in run.tasks if task.started is not None]
    if not begun:
        return 0.0
    lasted = max((t.started or 0.0) + t.seconds for t in begun) - min(t.started or 0.0 for t in begun)
    return min(lasted, run.seconds) if run.seconds else lasted
