"""Worker: carries out one task. The scheduler knows nothing else about agents, processes or machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .context import RunContext
from .graph import Task, TaskResult

Worker = Callable[[Task, RunContext], Awaitable[TaskResult]]
"""Gets a task whose argument references are resolved, and a context whose `results` hold what the task needs.

Of a task with `each` it gets one entry at a time, with an id of its own (``t.0``). An exception means that this attempt
failed; whether there is another is the scheduler's to decide, and everything that does not need the task goes on.
"""
