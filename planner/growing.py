"""Growing: plans whose tasks are carried out while they are still being written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ..agents.model import ModelClient
from ..runtime.context import RunContext
from ..runtime.errors import InvalidPlan
from ..runtime.events import PlanMade
from ..runtime.graph import Task
from ..runtime.scheduler import Growth, Settle
from ..runtime.scheduling.ending import Settled
from .asked import Asked, SoFar
from .checking.securing import secure
from .clearing import Clearing
from .services import Services
from .strategies.rules import Rules
from .ways import GROWING, Mode, growing


@dataclass(frozen=True)
class Grower:
    """Grows plans on one model."""

    client: ModelClient
    services: Services

    def begun(self, asked: Asked, mode: Mode) -> PlanMade | None:
        """The beginning of a growing plan; None where it is made whole first.

        It is made whole where effects or a budget are to be looked at before anything is begun, and where a plan that
        worked may serve.
        """
        name = mode if mode in GROWING else "stream"
        if not asked.trusted or (mode != "auto" and mode not in GROWING):
            return None
        if name == "stream" and (_has_effects(asked) or _is_limited(asked)):
            return None
        if mode == "auto" and asked.examples:
            return None
        note = "The model plans; its tasks begin while it writes."
        return PlanMade(
            tasks=(), strategy=name, notes=(note,), intent=asked.intent.kind, trusted=True, growing=True
        )

    def growth(self, asked: Asked, ctx: RunContext, planned: PlanMade, mode: Mode) -> Growth:
        """What gives the tasks of a growing plan: those that an earlier sitting gave, the same again."""
        given = tuple(task for added in ctx.journal.added if not added.task_id for task in added.tasks)
        before = SoFar(given, {}, {}, "") if given else None

        async def tasks(settle: Settle) -> AsyncGenerator[Task, None]:
            by = growing(planned.strategy, self.client)
            done: list[Task] = []
            try:
                async with aclosing(by.stream(replace(asked, so_far=before), ctx, _Seen(settle))) as stream:
                    async for task in stream:
                        done.append(self._secured(task, done, asked))
                        yield done[-1]
            except InvalidPlan as error:
                if done or mode != "auto":
                    raise
                await ctx.note(f"{error} The rules planned instead.")
                plan = await Clearing(self.services, ctx).cleared(await Rules().plan(asked, ctx), asked)
                for task in plan.tasks:
                    yield task

        return tasks

    def _secured(self, task: Task, before: Sequence[Task], asked: Asked) -> Task:
        """The task behind those that were given, put in an order with them where it has an effect, and marked if risky."""
        if not _has_effects(asked):
            return task
        risky = asked.crew.risky or "ask"
        return secure((*before, task), asked.crew, risky=risky, said=asked.said).tasks[-1]


@dataclass(frozen=True)
class _Seen:
    """What has come of the tasks so far, for whoever gives more of them."""

    settle: Settle

    async def settled(self) -> Settled:
        """Waits until each of them has ended or will not be begun."""
        return await self.settle()


def _has_effects(asked: Asked) -> bool:
    return any(tool.effect != "read_only" for tool in asked.crew.toolset.values())


def _is_limited(asked: Asked) -> bool:
    budget = asked.budget
    return any(
        limit is not None for limit in (budget.tokens, budget.seconds, budget.tool_calls, budget.money)
    )
