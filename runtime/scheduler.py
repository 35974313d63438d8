"""The scheduler: carries out a task graph, each task the moment its inputs are done."""

from __future__ import annotations

from collections.abc import Mapping

from .context import RunContext
from .errors import BudgetExceeded, StoreError
from .graph import TaskGraph, TaskResult
from .scheduling.execution import Execution, Growth, Settle
from .scheduling.outcome import cause_of
from .scheduling.schedule import Schedule, critical_path
from .worker import Worker

__all__ = ["Growth", "Settle", "critical_path", "execute"]


async def execute(
    graph: TaskGraph,
    worker: Worker,
    ctx: RunContext,
    *,
    limit: int = 8,
    agents: Mapping[str, int] | None = None,
    growth: Growth | None = None,
) -> dict[str, TaskResult]:
    """Carry out the graph, at most `limit` tasks at once and at most `agents[role]` of one role; every result.

    Of the tasks that are ready, the one with the longest chain of dependents (in `expected_seconds`) goes first. A
    task that an earlier sitting finished with the same inputs is read back. `growth` is a planner that gives tasks
    as it finds them, or a function that makes one and is handed what waits until all tasks so far have ended. Workers
    add tasks by `RunContext.add_tasks`. Both kinds are in the results; tasks that were passed over, for their condition
    or that of one they read is not met, are not.

    When a task fails for good, those that need it are skipped and all others go on; so they do while a task waits
    for a person. When this is cancelled, the workers are cancelled and awaited; what was finished is kept.

    Raises:
        TaskFailed: a task ended without a result (told after all others have ended).
        Rejected: a person said no to a task, and nothing else failed.
        RunWaiting: a person has to answer before the rest can go on.
        StepInDoubt: a task came upon a `once` effect that may have happened before a crash.
        BudgetExceeded: the run's budget is used up; running tasks were stopped.
        ReplayDiverged: during a replay, a task behaved otherwise than the journal says.
        StoreError: the journal cannot be written.
        InvalidInput: a limit is below 1.
        InvalidGraph: the planner gave tasks that do not fit, or an earlier sitting's do not fit this graph.
    """
    execution = Execution(Schedule(graph, limit=limit, agents=agents), worker, ctx, growth)
    stopped: BaseException | None = None
    try:
        await execution.run()
    except BaseExceptionGroup as errors:
        stopped = cause_of(errors)
    except BudgetExceeded as error:
        stopped = error
    if not isinstance(stopped, StoreError):
        await ctx.flush()
    if (ending := stopped or execution.missing()) is not None:
        raise ending from ending.__cause__
    return execution.results()
