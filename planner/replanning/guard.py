"""Guard: looks before each task whether the rest of the plan still fits the budget, and if not, stops beginning more.

What is under way ends, what is done is kept, and the tasks that were not begun fail by `Pressed`, so that whoever
conducts the run makes a cheaper plan of them. The hard limits of a budget stay as they are: they stop what is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...agents.crew import Crew
from ...runtime.context import RunContext
from ...runtime.errors import TaskFailed
from ...runtime.graph import Task, TaskResult
from ...runtime.journalling.row import fields
from ...runtime.worker import Worker
from ..plan import TaskEstimate
from .failure import PRESSED
from .pressure import Amounts, need, pressed, room_of, short
from .wiring import dependents


class Pressed(TaskFailed):
    """A task was not begun, for the rest of its plan does not fit the budget any more (see `BudgetExceeded`: it is used
    up)."""

    code = PRESSED


@dataclass
class Guarded:
    """A worker for one plan, watched. `estimates` say what its tasks are thought to take, `ctx` is the run's.

    It presses once: from then on no task is begun. It never does where nothing could be left out. A replay presses
    where the journal says that it did.
    """

    worker: Worker
    crew: Crew
    tasks: Sequence[Task]
    estimates: Mapping[str, TaskEstimate]
    ctx: RunContext
    _why: str = field(default="", init=False)
    _done: set[str] | None = field(default=None, init=False)
    _failed: set[str] = field(default_factory=set, init=False)
    _begun: dict[str, float] = field(default_factory=dict, init=False)
    _entries: dict[str, set[str]] = field(default_factory=dict, init=False)

    async def __call__(self, task: Task, ctx: RunContext) -> TaskResult:
        """The worker's result.

        Raises:
            Pressed: it was not begun.
        """
        if ctx.replaying:
            self._as_then(task, ctx)
            return await self.worker(task, ctx)
        self._look(task)
        try:
            result = await self.worker(task, ctx)
        except Exception:
            self._failed.add(task.id)
            raise
        if self._done is not None and task.id not in self._entries.get(self._whole(task), ()):
            self._done.add(task.id)
        return result

    def _as_then(self, task: Task, ctx: RunContext) -> None:
        row = ctx.journal.failed_task(task.id)
        if row is not None and fields(row).get("code") == PRESSED:
            raise Pressed(str(fields(row).get("error", "")))

    def _look(self, task: Task) -> None:
        room = room_of(self.ctx.meter)
        if not room.any_limit:
            return
        self._why = self._why or self._pressing(room)
        if self._why:
            raise Pressed(self._why)
        whole = self._whole(task)
        self._failed.discard(task.id)
        self._begun.setdefault(whole, self.ctx.meter.seconds)
        if whole != task.id:
            self._entries.setdefault(whole, set()).add(task.id)

    def _pressing(self, room: Amounts) -> str:
        """Why no further task is begun; "" where all is well."""
        done = self._finished()
        failed = self._failed & {task.id for task in self.tasks}
        over = done | failed | dependents(self.tasks, failed)
        left = {**self.estimates, **{task_id: self._rest(task_id) for task_id in self._begun}}
        lack = short(need((task for task in self.tasks if task.id not in over), left), room)
        if not lack or pressed(self.tasks, left, done, room, self.crew) is None:
            return ""
        return f"The rest of the plan is thought to take {lack}."

    def _finished(self) -> set[str]:
        """What is done: of earlier sittings by the journal, of this one by the worker."""
        if self._done is None:
            self._done = {task.id for task in self.tasks if self.ctx.finished_task(task.id) is not None}
        self._done |= {whole for whole in self._entries if self.ctx.finished_task(whole) is not None}
        return self._done

    def _rest(self, task_id: str) -> TaskEstimate:
        """What is left of a task that has begun: what it was thought to take, less what it has used."""
        thought = self.estimates.get(task_id, TaskEstimate())
        used = [self.ctx.journal.task_cost(one) for one in (task_id, *self._entries.get(task_id, ()))]
        return thought.model_copy(
            update={
                "seconds": max(0.0, thought.seconds - (self.ctx.meter.seconds - self._begun[task_id])),
                "tokens": max(0, thought.tokens - sum(one.tokens for one in used)),
                "tool_calls": max(0, thought.tool_calls - sum(one.tool_calls for one in used)),
                "money": max(0.0, thought.money - sum(one.money for one in used)),
            }
        )

    def _whole(self, task: Task) -> str:
        """The task of the plan that this one is, or is an entry of."""
        head, dot, number = task.id.rpartition(".")
        return head if dot and number.isdigit() and any(one.id == head for one in self.tasks) else task.id
