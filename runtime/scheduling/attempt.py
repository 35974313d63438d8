"""Attempt: a worker carries a task out once, within the seconds that it may take."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

from ..context import RunContext
from ..errors import ReplayDiverged, Surprise, TaskFailed
from ..graph import RESULT, Task, TaskResult, resolve
from ..journalling.row import fields
from ..worker import Worker
from .outcome import holds_up, stops_run


async def attempt(worker: Worker, task: Task, ctx: RunContext) -> TaskResult:
    """What the worker gives. A timeout cancels it, whatever it is at. A replay takes no time.

    Raises:
        TaskFailed: it took longer than the task's `timeout`, or what it gave is no result.
        Surprise: what it gave is not what the task `expects`.
        BudgetExceeded: the seconds of the task's allowance are used up.
    """
    if task.timeout is None and task.allowance is None:
        result = await worker(task, ctx)
    elif ctx.replaying:
        result = await _again(worker, task, ctx)
    else:
        result = await _limited(worker, task, ctx)
    if not isinstance(result, TaskResult):
        raise TaskFailed(f"its worker gave {type(result).__name__} and not a TaskResult")
    for expected in task.expects:
        known = {RESULT: result}
        value, to = resolve(expected.value, known), resolve(expected.to, known)
        if not expected.holds(value, to):
            raise Surprise(f"its result is not what was expected: {expected.said(value, to)} does not hold")
    return result


async def _limited(worker: Worker, task: Task, ctx: RunContext) -> TaskResult:
    timer = asyncio.timeout(task.timeout)
    try:
        async with ctx.deadline() if task.allowance is not None else nullcontext(), timer:
            return await worker(task, ctx)
    except Exception as error:
        if timer.expired() and not stops_run(error) and not holds_up(error):
            raise TaskFailed(_too_long(task)) from error
        raise


async def _again(worker: Worker, task: Task, ctx: RunContext) -> TaskResult:
    try:
        return await worker(task, ctx)
    except ReplayDiverged:
        # The step that the timeout cut off has no result in the journal: this is where it ended then.
        failed = ctx.journal.failed_task(task.id)
        if task.timeout is not None and failed is not None and fields(failed).get("error") == _too_long(task):
            raise TaskFailed(_too_long(task)) from None
        raise


def _too_long(task: Task) -> str:
    return f"it took longer than {task.timeout:g} seconds"
