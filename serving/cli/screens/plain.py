"""Owns the plain screen: one line for each event that matters, without colours, for pipes, files and CI."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ....runtime.events import (
    Answered,
    Asked,
    BudgetLow,
    Noted,
    PlanMade,
    RunForked,
    RunResumed,
    RunStarted,
    StepErred,
    TaskErred,
    TaskFinished,
    TaskRetried,
    TasksAdded,
    TaskSkipped,
    TaskStarted,
)
from .text import clean, one_line, seconds, tokens
from .view import RunView

if TYPE_CHECKING:
    from ....runtime.events import Event
    from ...engines import Progress


class PlainScreen:
    """Writes run lines to stdout and start-up lines to stderr; `quiet` keeps stdout free for JSON."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.view = RunView()
        self._quiet = quiet
        self._stage = ""

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def event(self, event: Event) -> None:
        """Take the event in, and write its line when it has one."""
        self.view.apply(event)
        if self._quiet:
            return
        try:
            for line in self._lines(event):
                print(line, flush=True)
        except BrokenPipeError:  # the reader, such as `head`, has seen enough; the run goes on
            self._quiet = True

    def recall(self, events: Iterable[Event]) -> None:
        """Take in the request and the plan of an earlier sitting."""
        self.view.recall(events)

    def progress(self, progress: Progress) -> None:
        """One line on stderr for each new stage."""
        if progress.stage != self._stage:
            self._stage = progress.stage
            print(clean(progress.stage), file=sys.stderr, flush=True)

    def _lines(self, event: Event) -> list[str]:
        match event:
            case RunStarted():
                return [f"{event.crew}: {one_line(event.request, 200)}"]
            case RunResumed():
                return [f"resumed: steps that are not run again: {event.finished_steps}"]
            case PlanMade():
                head = (
                    f"plan ({event.strategy}): {len(event.tasks)} task{'s' if len(event.tasks) != 1 else ''}"
                )
                if event.growing:
                    head = f"plan ({event.strategy}): its tasks begin while it is written"
                if event.reason:
                    head = f"another {head}, because: {one_line(event.reason, 300)}"
                lost = (f"plan: missing: {one_line(line, 200)}" for line in event.missing)
                tasks = (f"  {task_line(task)}" for task in event.tasks)
                return [head, *tasks, *lost, *_notes("plan", event.notes)]
            case TaskStarted():
                return [f"{self._name(event.task_id)}: started"]
            case TaskFinished():
                spent = f"{seconds(event.seconds)}, {tokens(event.tokens)}"
                said = one_line(event.result.text, 200)
                return [f"{self._name(event.task_id)}: done in {spent}{': ' if said else ''}{said}"]
            case TaskRetried():
                again = f"again in {seconds(event.wait)}" if event.wait else "again"
                return [
                    f"{self._name(event.task_id)}: attempt {event.attempt} failed, {again}: {one_line(event.error)}"
                ]
            case TasksAdded():
                number = f"{len(event.tasks)} task{'s' if len(event.tasks) != 1 else ''}"
                head = f"{self._name(event.task_id)}: added {number}"
                return [head, *(f"  {task_line(task)}" for task in event.tasks)]
            case Asked():
                return [f"{self._name(event.task_id)}: asks: {one_line(event.question, 300)}"]
            case Answered():
                given = event.answer
                why = f": {one_line(given.note, 200)}" if given.note else ""
                who = one_line(given.by) or "somebody"
                return [f"{self._name(event.task_id)}: {who} answered {given.decision}{why}"]
            case BudgetLow():
                used = f"{event.used:g} of {event.limit:g} {event.what}"
                return [
                    f"{self._name(event.task_id)}: low budget: the {event.of} has used {used}, the cheaper way is gone"
                ]
            case RunForked():
                return [f"forked from {event.origin} at event #{event.at_seq}"]
            case TaskErred():
                return [f"{self._name(event.task_id)}: failed: {one_line(event.error)}"]
            case TaskSkipped():
                return [f"{self._name(event.task_id)}: skipped: {one_line(event.because)}"]
            case StepErred():
                return [f"{self._name(event.task_id)}: {event.name} failed: {one_line(event.error, 300)}"]
            case Noted():
                return _notes(self._name(event.task_id), (event.text,))
            case _:
                return []

    def _name(self, task_id: str) -> str:
        task = self.view.summary.task(task_id) if task_id else None
        if task is None:
            return task_id or "run"
        return f"{task_id} {task.agent or task.tool or ''}".strip()


def task_line(task: Any) -> str:
    """A task of a plan on one line: id, role, what it does, and what it waits for."""
    after = f" (after {', '.join(task.needs)})" if task.needs else ""
    return one_line(f"{task.id} {task.agent or task.tool or ''}: {task.description}{after}")


def _notes(name: str, notes: tuple[str, ...]) -> list[str]:
    return [f"{name}: note: {one_line(note)}" for note in notes]
