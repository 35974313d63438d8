"""Attempt: a worker carries a task out once, within the seconds that it may take."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

from ..context import RunContext
from ..errors import TaskFailed
from ..graph import Task, TaskResult
from ..worker import Worker
from .outcome import holds_up, stops_run


async def attempt(worker: Worker, task: Task, ctx: RunContext) -> TaskResult:
    """What the worker gives. A timeout cancels it, whatever it is at. A replay takes no time.

    Raises:
        TaskFailed: it took longer than the task's `timeout`, or what it gave is no result.
        BudgetExceeded: the seconds of the task's allowance are used up.
    """
    if ctx.replaying or (task.timeout is None and task.allowance is None):
        result = await worker(task, ctx)
    else:
        result = await _limited(worker, task, ctx)
    if not isinstance(result, TaskResult):
        raise TaskFailed(f"its worker gave {type(result).__name__} and not a TaskResult")
    return result


async def _limited(worker: Worker, task: Task, ctx: RunContext) -> TaskResult:
    timer = asyncio.timeout(task.timeout)
    try:
        async with ctx.deadline() if task.allowance is not None else nullcontext(), timer:
            return await worker(task, ctx)
    except Exception as error:
        if timer.expired() and not stops_run(error) and not holds_up(error):
            raise TaskFailed(f"it took longer than {task.timeout:g} seconds") from error
        raise
