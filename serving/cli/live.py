"""Owns the live screen: a tree of tasks that changes while the run goes on.

Rich draws it from a thread of its own, so that clocks tick while a tool keeps the event loop busy; a lock
keeps the picture and the events apart.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from .text import one_line, seconds, size, tokens
from .view import RunView, State, TaskView

if TYPE_CHECKING:
    from ...runtime.events import Event
    from ..engines import Progress

GLYPHS: dict[State, tuple[str, str]] = {
    "waiting": ("○", "dim"),
    "running": ("◐", "cyan"),
    "done": ("●", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "stopped": ("■", "yellow"),
}
_FRAMES = "◐◓◑◒"
_NOTES_SHOWN = 3


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

    def progress(self, progress: Progress) -> None:
        """Show how far fetching or starting the engine has come."""
        with self._lock:
            self._progress = progress

    def _render(self) -> RenderableType:
        with self._lock:
            parts: list[RenderableType] = []
            if self.view.request:
                parts.append(self._tree())
            if self._progress is not None:
                parts.append(_progress_row(self._progress))
            return Group(*parts)

    def _tree(self) -> Tree:
        view = self.view
        tree = Tree(
            _line((view.crew, "bold"), ("  ", ""), (one_line(view.request, 300), "")), guide_style="dim"
        )
        if view.finished_steps:
            tree.add(_line((f"resumed: {view.finished_steps} finished steps are not run again", "dim")))
        for note in view.notes[-_NOTES_SHOWN:]:
            tree.add(_line(("note: ", "yellow"), (one_line(note), "dim")))
        if not view.tasks and view.state == "running":
            tree.add(
                _line((f"{self._frame()} planning", "cyan"), (f"  {_tail(view.tail, self._room())}", "dim"))
            )
        for shown in view.tasks.values():
            branch = tree.add(self._task_line(shown))
            for note in shown.notes[-_NOTES_SHOWN:]:
                branch.add(_line(("note: ", "yellow"), (one_line(note), "dim")))
            if shown.state == "running" and shown.tail:
                branch.add(_line((_tail(shown.tail, self._room()), "dim")))
            elif shown.state == "running" and shown.steps:
                branch.add(_line((shown.steps[-1].name, "dim")))
            elif shown.error:
                branch.add(_line((one_line(shown.error), "red" if shown.state == "failed" else "dim")))
            elif shown.result is not None and shown.result.text:
                branch.add(_line((one_line(shown.result.text, 300), "dim")))
        if view.error:
            tree.add(_line((one_line(view.error), "red")))
        return tree

    def _task_line(self, shown: TaskView) -> Text:
        glyph, style = GLYPHS[shown.state]
        spent = shown.seconds
        if shown.state == "running":
            glyph = self._frame()
            spent = time.monotonic() - self._started.get(shown.task.id, time.monotonic())
        figures = "" if shown.state in {"waiting", "skipped"} else f"  {seconds(spent)}"
        if shown.tokens:
            figures += f"  {tokens(shown.tokens)}"
        return _line(
            (f"{glyph} ", style),
            (shown.role or shown.task.id, "bold"),
            (figures, "dim"),
            (f"  {one_line(shown.task.description, 300)}", ""),
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
