"""What has come of a plan so far, gathered for whoever has to change it."""

from __future__ import annotations

from collections.abc import Sequence

from ..runtime.errors import TaskFailed
from ..runtime.events import PlanMade
from ..runtime.graph import Task
from ..runtime.scheduling.outcome import code_of, said
from .asked import SoFar, call_key
from .plan import Estimate, Plan


def so_far(plans: Sequence[PlanMade], error: TaskFailed) -> SoFar:
    """What there is of the last of a run's `plans`, which failed with `error`, and why it has to be changed.

    All of it is told by the error and none by the journal, which in a replay knows already how the run went on.
    """
    failures = {task_id: said(one).rstrip(".") for task_id, one in error.failures.items()}
    first, *rest = failures.items() or [("-", said(error).rstrip("."))]
    more = f" ({len(rest)} more failed)" if rest else ""
    return SoFar(
        tuple(error.tasks),
        {task_id: result for task_id, result in error.results.items() if task_id not in failures},
        failures,
        f"Task {first[0]} failed{more}: {first[1]}.",
        {task_id: code_of(one) for task_id, one in error.failures.items()},
        frozenset(call_key(task) for plan in plans for task in plan.left_out),
        len(plans) - 1,
        Estimate.model_validate(plans[-1].estimate) if plans[-1].estimate is not None else None,
    )


def changed(plan: Plan, made: PlanMade, before: SoFar, planned: PlanMade) -> PlanMade:
    """The event of a `plan` that stands in place of `planned`: what it leaves out of that, and why."""
    kept = {task.id for task in plan.tasks}
    left_out = tuple(task for task in before.tasks if task.id not in kept)
    missing = tuple(dict.fromkeys((*planned.missing, *plan.missing)))
    return made.model_copy(update={"reason": before.reason, "left_out": left_out, "missing": missing})


def all_tasks(planned: PlanMade, added: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks of a plan and then those that it has grown by, each once."""
    ids = {task.id for task in planned.tasks}
    return (*planned.tasks, *{task.id: task for task in added if task.id not in ids}.values())
