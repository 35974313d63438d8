"""The scheduler: carries out a task graph, each task the moment its inputs are done."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import time
from collections.abc import Iterator

from .context import RunContext
from .errors import (
    BudgetExceeded,
    CrewgraphError,
    InvalidInput,
    ReplayDiverged,
    StepInDoubt,
    StoreError,
    TaskFailed,
)
from .events import TaskErred, TaskFinished, TaskSkipped, TaskStarted
from .graph import Task, TaskGraph, TaskResult, resolve
from .worker import Worker

_STOPS = (BudgetExceeded, ReplayDiverged, StoreError)
"""Errors that concern the run and not the task: everything stops."""


def critical_path(graph: TaskGraph) -> dict[str, int]:
    """For each task, the length in tasks of the longest chain that hangs on it, itself included."""
    dependents = graph.dependents()
    length: dict[str, int] = {}
    for task_id in reversed(graph.order):
        length[task_id] = 1 + max((length[waiting] for waiting in dependents[task_id]), default=0)
    return length


async def execute(
    graph: TaskGraph, worker: Worker, ctx: RunContext, *, limit: int = 8
) -> dict[str, TaskResult]:
    """Carry out the graph, at most `limit` tasks at once; returns every task's result.

    Of the tasks that are ready, the one with the longest chain of dependents goes first. A task that an
    earlier sitting finished with the same inputs is read back. When a task fails, those that need it are
    skipped and all others go on. When this is cancelled, the workers are cancelled and awaited; what was
    finished is kept.

    Raises:
        TaskFailed: a task ended without a result (told after all others have ended).
        StepInDoubt: a task came upon a `once` effect that may have happened before a crash.
        BudgetExceeded: the run's budget is used up; running tasks were stopped.
        ReplayDiverged: during a replay, a task behaved otherwise than the journal says.
        StoreError: the journal cannot be written.
        InvalidInput: `limit` is below 1.
    """
    if limit < 1:
        raise InvalidInput(f"At most {limit} tasks at once means none: the limit is 1 or more.")
    execution = _Execution(graph, worker, ctx, limit)
    try:
        async with ctx.deadline(), asyncio.TaskGroup() as group:
            execution.begin(group)
    except BaseExceptionGroup as errors:
        raise next(_leaves(errors)) from None
    execution.raise_failure()
    return {task.id: execution.results[task.id] for task in graph.tasks}


class _Execution:
    """One graph under way."""

    def __init__(self, graph: TaskGraph, worker: Worker, ctx: RunContext, limit: int) -> None:
        self.results: dict[str, TaskResult] = {}
        self._graph = graph
        self._worker = worker
        self._ctx = ctx
        self._free = limit
        self._waiting = {task.id: len(task.needs) for task in graph.tasks}
        self._dependents = graph.dependents()
        chain = critical_path(graph)
        self._rank = {task.id: (-chain[task.id], place) for place, task in enumerate(graph.tasks)}
        self._ready: list[tuple[tuple[int, int], str]] = []
        self._failures: dict[str, Exception] = {}
        self._skipped: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def begin(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        for task_id, waiting in self._waiting.items():
            if not waiting:
                heapq.heappush(self._ready, (self._rank[task_id], task_id))
        self._launch()

    def _launch(self) -> None:
        while self._free and self._ready:
            _, task_id = heapq.heappop(self._ready)
            self._free -= 1
            self._group.create_task(self._carry_out(self._graph[task_id]), name=task_id)

    async def _carry_out(self, task: Task) -> None:
        try:
            result = await self._result(task)
        except _STOPS:
            raise
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            await self._fail(task, TaskFailed("its worker cancelled itself"))
        except Exception as error:
            await self._fail(task, error)
        else:
            self.results[task.id] = result
            for waiting in self._dependents[task.id]:
                self._waiting[waiting] -= 1
                if not self._waiting[waiting]:
                    heapq.heappush(self._ready, (self._rank[waiting], waiting))
        self._free += 1
        self._launch()

    async def _result(self, task: Task) -> TaskResult:
        needs = task.needs
        inputs = {need: self.results[need] for need in needs}
        ctx = self._ctx.for_task(task.id, inputs)
        ready = task.model_copy(update={"args": resolve(task.args, self.results), "depends_on": needs})
        key = self._key(ready)
        held = ctx.finished_task(task.id)
        if held is not None and not ctx.replaying:
            if held.key == key:
                ctx.publish(held)
                return self._keep(task.id, held.result)
            await ctx.note(f"Task {task.id!r} is done again, for it is asked something else than before.")
        started = time.monotonic()
        await ctx.emit(TaskStarted(task_id=task.id))
        result = await self._worker(ready, ctx)
        finished = TaskFinished(
            task_id=task.id,
            result=result,
            seconds=round(time.monotonic() - started, 6),
            tokens=ctx.spent.tokens,
            key=key,
        )
        if held is not None and ctx.replaying and held.result != result:
            raise ReplayDiverged(
                f"Replay of run {ctx.run_id} diverged: task {task.id!r} read the same steps "
                f"and now gives {_short(result)} where the journal holds {_short(held.result)}."
            )
        await ctx.emit(finished)
        return self._keep(task.id, result)

    def _keep(self, task_id: str, result: TaskResult) -> TaskResult:
        self._digests[task_id] = hashlib.sha256(result.model_dump_json().encode()).hexdigest()
        return result

    def _key(self, task: Task) -> str:
        """Hash of all that the task is given: an old result never answers a changed input."""
        digest = hashlib.sha256(task.model_dump_json().encode())
        for need in task.depends_on:
            digest.update(self._digests[need].encode())
        return digest.hexdigest()[:32]

    async def _fail(self, task: Task, error: Exception) -> None:
        code = error.code if isinstance(error, CrewgraphError) else TaskFailed.code
        reason = str(error) if isinstance(error, CrewgraphError) else f"{type(error).__name__}: {error}"
        self._failures[task.id] = error
        await self._ctx.emit(TaskErred(task_id=task.id, error=reason, code=code))
        for task_id in self._downstream(task.id):
            self._skipped[task_id] = task.id
            await self._ctx.emit(TaskSkipped(task_id=task_id, because=f"It needs {task.id!r}, which failed."))

    def _downstream(self, task_id: str) -> list[str]:
        found: dict[str, None] = {}
        pending = [task_id]
        while pending:
            for waiting in self._dependents[pending.pop()]:
                if waiting not in found and waiting not in self._skipped:
                    found[waiting] = None
                    pending.append(waiting)
        return list(found)

    def raise_failure(self) -> None:
        if not self._failures:
            return
        for error in self._failures.values():
            if isinstance(error, StepInDoubt):
                raise error
        task_id, error = next(iter(self._failures.items()))
        reason = str(error) if isinstance(error, CrewgraphError) else f"{type(error).__name__}: {error}"
        others = len(self._failures) - 1
        more = f" ({others} more failed)" if others else ""
        skipped = f", and {len(self._skipped)} that need it were skipped" if self._skipped else ""
        raise TaskFailed(
            f"Task {task_id!r} failed{more}{skipped}: {reason.rstrip('.')}. "
            f"The {len(self.results)} finished tasks are kept: resume the run to try again."
        ) from error


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _short(result: TaskResult) -> str:
    text = repr(result.value if result.value is not None else result.text)
    return text if len(text) <= 60 else text[:59] + "…"
