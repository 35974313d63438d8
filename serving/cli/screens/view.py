"""Owns what a screen knows of a run: the events so far, and the text that is being written just now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....runtime.events import Event, PlanMade, StepIntended, TaskErred, TaskFinished, TextDelta
from ....runtime.reading.history import RunSummary, TaskSummary, summarise

GLYPHS = {
    "waiting": ("○", "dim"),
    "asking": ("?", "bold yellow"),
    "retrying": ("↻", "yellow"),
    "running": ("◐", "cyan"),
    "begun": ("◐", "cyan"),
    "finished": ("●", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "stopped": ("■", "yellow"),
}
"""A sign and a style for each state of a task or a step."""

_TAIL = 2_000
"""How much of a text that is being written is kept for the screen."""


class RunView:
    """A run while it goes on. `tails` holds, by task, what a model is writing."""

    def __init__(self) -> None:
        self.tails: dict[str, str] = {}
        self._events: list[Event] = []
        self._summary = RunSummary()
        self._summarised = 0

    def apply(self, event: Event) -> None:
        """Take one more event in."""
        if isinstance(event, TextDelta):
            self.tails[event.task_id] = (self.tails.get(event.task_id, "") + event.text)[-_TAIL:]
            return
        self._events.append(event)
        if isinstance(event, StepIntended | TaskFinished | TaskErred):
            self.tails.pop(event.task_id, None)
        elif isinstance(event, PlanMade):
            self.tails.pop("", None)

    def recall(self, events: Iterable[Event]) -> None:
        """Take in the request and plan of an earlier sitting; its steps are told again as they are read."""
        for event in events:
            if event.kind in {"run_started", "run_forked", "plan_made"}:
                self.apply(event)

    @property
    def summary(self) -> RunSummary:
        """The run so far."""
        if self._summarised != len(self._events):
            self._summarised = len(self._events)
            self._summary = summarise(self._events[: self._summarised])
        return self._summary


def role_of(task: TaskSummary) -> str:
    """Who does it: the agent's role, or the tool of a task without one."""
    return task.agent or task.tool or task.id


def with_entries(run: RunSummary) -> Iterator[tuple[TaskSummary, list[TaskSummary]]]:
    """Every task, with those that are entries of it: a task done for each of a list has one for each."""
    entries: dict[str, list[TaskSummary]] = {}
    known = {task.id for task in run.tasks}
    for task in run.tasks:
        whole, _, number = task.id.rpartition(".")
        if whole in known and number.isdigit() and not task.description:
            entries.setdefault(whole, []).append(task)
    below = {entry.id for found in entries.values() for entry in found}
    for task in run.tasks:
        if task.id not in below:
            yield task, entries.get(task.id, [])


def begun_of(task: TaskSummary) -> str:
    """How often it was begun, where that was not once: tried again, or gone on with after a pause."""
    return f"  begun {task.attempts} times" if task.attempts > 1 else ""


def origin_of(task: TaskSummary) -> str:
    """Who added it, where it was not planned from the start."""
    if task.added_by is None:
        return ""
    return f"  added by {task.added_by}" if task.added_by else "  added while planning"
