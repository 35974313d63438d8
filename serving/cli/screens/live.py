"""Owns the live screen: a tree of tasks that changes while the run goes on.

Rich draws it from a thread of its own, so that clocks tick while a tool keeps the event loop busy; a lock
keeps the picture and the events apart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ...telling import notes_of, state_of
from .text import one_line, seconds, size, tokens
from .view import GLYPHS, RunView, origin_of, role_of, with_entries

if TYPE_CHECKING:
    from ....runtime.events import Event
    from ....runtime.reading.history import RunSummary, TaskSummary
    from ....runtime.reading.questions import Question
    from ...engines import Progress

_FRAMES = "◐◓◑◒"
_NOTES_SHOWN = 3
_ENTRIES_SHOWN = 8


class LiveScreen:
    """The tree of tasks in a terminal; it stays on the screen when the run has ended."""

    def __init__(self, console: Console | None = None) -> None:
        self.view = RunView()
        self._console = console or Console(highlight=False)
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._progress: Progress | None = None
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=8,
            vertical_overflow="ellipsis",
        )

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._progress = None
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take the event in; the next frame shows it."""
        with self._lock:
            self.view.apply(event)
            self._progress = None if event.kind != "run_started" else self._progress
            if event.kind == "task_started":
                self._started[event.task_id] = time.monotonic()

    def recall(self, events: Iterable[Event]) -> None:
        """Take in the request and the plan of an earlier sitting."""
        with self._lock:
            self.view.recall(events)

    def progress(self, progress: Progress) -> None:
        """Show how far fetching or starting the engine has come."""
        with self._lock:
            self._progress = progress

    def _render(self) -> RenderableType:
        with self._lock:
            parts: list[RenderableType] = []
            if self.view.summary.request:
                parts.append(self._tree(self.view.summary))
            if self._progress is not None:
                parts.append(_progress_row(self._progress))
            return Group(*parts)

    def _tree(self, run: RunSummary) -> Tree:
        tree = Tree(
            _line((run.crew, "bold"), ("  ", ""), (one_line(run.request, 300), "")), guide_style="dim"
        )
        if run.forked_from:
            tree.add(_line((f"forked from {run.forked_from[0]} at event #{run.forked_from[1]}", "dim")))
        if run.resumed:
            tree.add(_line(("resumed: finished steps are not run again", "dim")))
        for note in notes_of(run)[-_NOTES_SHOWN:]:
            tree.add(_line(("note: ", "yellow"), (one_line(note), "dim")))
        if not run.plan and run.outcome == "running":
            tail = _tail(self.view.tails.get("", ""), self._room())
            tree.add(_line((f"{self._frame()} planning", "cyan"), (f"  {tail}", "dim")))
        asked = {question.task_id: question for question in run.questions}
        for task, entries in with_entries(run):
            branch = tree.add(self._task_line(task, run))
            self._add_below(branch, task, run, asked)
            done = sum(1 for entry in entries if entry.state == "finished")
            if entries and task.state != "finished":
                branch.add(_line((f"{done} of {len(entries)} entries done", "dim")))
            quiet = {"waiting", "finished", "skipped"}
            under_way = [entry for entry in entries if state_of(entry, run) not in quiet]
            for entry in under_way[:_ENTRIES_SHOWN]:
                self._add_below(branch.add(self._task_line(entry, run)), entry, run, asked)
        if "" in asked:
            tree.add(_line(("? asks: ", "bold yellow"), (one_line(asked[""].question), "")))
        if run.error and run.outcome != "waiting":
            tree.add(_line((one_line(run.error), "red")))
        return tree

    def _add_below(
        self, branch: Tree, task: TaskSummary, run: RunSummary, asked: Mapping[str, Question]
    ) -> None:
        for note in task.notes[-_NOTES_SHOWN:]:
            branch.add(_line(("note: ", "yellow"), (one_line(note), "dim")))
        state = state_of(task, run)
        if state == "asking":
            branch.add(_line(("asks: ", "bold yellow"), (one_line(asked[task.id].question), "")))
        below = self._below(task, state)
        if below is not None:
            branch.add(below)

    def _below(self, task: TaskSummary, state: str) -> Text | None:
        """The line under a task: what is being written, the step under way, the error or the result."""
        tail = self.view.tails.get(task.id)
        if task.state == "running":
            if tail:
                return _line((_tail(tail, self._room()), "dim"))
            return _line((task.steps[-1].name, "dim")) if task.steps else None
        if task.error and state != "retrying":  # a note tells of it
            return _line((one_line(task.error), "red" if task.state == "failed" else "dim"))
        if task.result is not None and task.result.text:
            return _line((one_line(task.result.text, 300), "dim"))
        return None

    def _task_line(self, task: TaskSummary, run: RunSummary) -> Text:
        state = state_of(task, run)
        glyph, style = GLYPHS[state]
        spent = task.seconds
        if state == "running":
            glyph = self._frame()
            spent = time.monotonic() - self._started.get(task.id, time.monotonic())
        figures = f"  {seconds(spent)}" if state in {"running", "finished"} else ""
        if task.tokens:
            figures += f"  {tokens(task.tokens)}"
        if state in {"asking", "retrying"}:
            figures += f"  {state}"
        figures += origin_of(task)
        return _line(
            (f"{glyph} ", style),
            (role_of(task), "bold"),
            (figures, "dim"),
            (f"  {one_line(task.description, 300)}" if task.description else "", ""),
        )

    def _frame(self) -> str:
        return _FRAMES[int(time.monotonic() * 4) % len(_FRAMES)]

    def _room(self) -> int:
        return max(10, self._console.width - 12)


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _tail(text: str, room: int) -> str:
    """The end of a text that is being written, as wide as there is room for; wide signs count as two."""
    line = one_line(text)
    if cell_len(line) <= room:
        return line
    kept, width = "", 1
    for sign in reversed(line):
        width += cell_len(sign)
        if width > room:
            break
        kept = sign + kept
    return f"…{kept}"


def _progress_row(progress: Progress) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True, overflow="ellipsis")
    row.add_column(width=20)
    row.add_column(no_wrap=True)
    known = progress.total if progress.total else None
    done = ""
    if progress.total:
        in_bytes = f"{size(progress.done)} of {size(progress.total)}"
        done = in_bytes if progress.total >= 1_000_000 else f"{progress.done / progress.total:.0%}"
    bar = ProgressBar(total=known, completed=progress.done, width=20, pulse=known is None)
    row.add_row(one_line(progress.stage), bar, done)
    return row
