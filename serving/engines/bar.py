"""Owns showing an engine's progress on stderr: a bar in a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .progress import OnProgress, Progress

_SHOWN_PERCENT = 10
_LEAST_BYTES = 1_000_000
"""Totals below are no downloads, but counts or percent."""


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Something to hand over as `on_progress`; nothing is written to stdout."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    sizes = TextColumn("{task.fields[size]}")
    columns = (TextColumn("{task.description}"), BarColumn(), sizes, TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        stage, task = "", None

        def show(progress: Progress) -> None:
            nonlocal stage, task
            if progress.stage != stage or task is None:
                _finish(bars, task)
                stage, task = progress.stage, bars.add_task(progress.stage, total=None, size="")
            bars.update(task, completed=progress.done, total=progress.total, size=_size(progress))

        yield show
        _finish(bars, task)


def _size(progress: Progress) -> str:
    if not progress.total:
        return ""
    if progress.total < _LEAST_BYTES:
        return f"{100 * progress.done // progress.total} %"
    return f"{progress.done / 1e6:.0f}/{progress.total / 1e6:.0f} MB"


def _finish(bars: object, task: object) -> None:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    if task is None or not isinstance(bars, Bars) or not isinstance(task, int):
        return
    identity = TaskID(task)
    total = bars.tasks[bars.task_ids.index(identity)].total or 1
    bars.update(identity, completed=total, total=total)


class _Lines:
    def __init__(self) -> None:
        self._stage = ""
        self._percent = 0

    def show(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self._stage, self._percent = progress.stage, 0
            print(f"{progress.stage} ...", file=sys.stderr, flush=True)
        percent = 100 * progress.done // progress.total if progress.total else 0
        if percent >= self._percent + _SHOWN_PERCENT:
            self._percent = percent - percent % _SHOWN_PERCENT
            print(f"{progress.stage} {self._percent} %", file=sys.stderr, flush=True)
