"""Owns what a screen knows of a run: the events so far, and the text that is being written just now."""

from __future__ import annotations

from collections.abc import Iterable

from ....runtime.events import Event, PlanMade, StepIntended, TaskErred, TaskFinished, TextDelta
from ....runtime.history import RunSummary, TaskSummary, summarise

GLYPHS = {
    "waiting": ("○", "dim"),
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
            if event.kind in {"run_started", "plan_made"}:
                self.apply(event)

    @property
    def summary(self) -> RunSummary:
        """The run so far."""
        if self._summarised != len(self._events):
            self._summarised = len(self._events)
            self._summary = summarise(self._events[: self._summarised])
        return self._summary


def state_of(task: TaskSummary, run: RunSummary) -> str:
    """The task's state; one that was under way when its run ended was stopped."""
    return "stopped" if task.state == "running" and run.outcome != "running" else task.state


def role_of(task: TaskSummary) -> str:
    """Who does it: the agent's role, or the tool of a task without one."""
    return task.agent or task.tool or task.id


def notes_of(run: RunSummary) -> list[str]:
    """What a person should know about the run as a whole, each thing once."""
    return list(dict.fromkeys([*run.plan_notes, *run.notes]))
