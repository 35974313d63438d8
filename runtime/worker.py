"""Worker: carries out one task. The scheduler knows nothing else about agents, processes or machines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .context import RunContext
from .graph import Task, TaskResult

Worker = Callable[[Task, RunContext], Awaitable[TaskResult]]
"""Gets a task whose argument references are resolved, and a context whose `results` hold what the task needs.

An exception means that the task failed; everything that does not need it goes on.
"""
