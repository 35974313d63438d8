"""The hybrid strategy: another strategy proposes, the symbolic planner completes, orders and proves, or says what is amiss.

What is proposed must be done, all of it; the search adds what its needs and the goal ask for. Tasks whose tools do not say
what they do pass through as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan
from ...tools.planning import Literal
from ..asked import Asked
from ..plan import Plan, listed, wrong
from ..symbolic.completing import completed
from ..symbolic.search import SEARCH, Least
from ..symbolic.solving.request import Engine
from ..symbolic.solving.solver import Solver
from ..symbolic.world import Worlds, setting
from .strategy import Strategy
from .symbolic import journalled


@dataclass(frozen=True)
class HybridStrategy:
    """`inner` proposes tasks; `world` tells things, facts and perhaps goals (see `SymbolicStrategy` for the rest)."""

    inner: Strategy
    world: Worlds
    least: Least | None = None
    limit: float = 30.0
    engines: tuple[Engine, ...] = SEARCH
    solver: Solver = field(default_factory=Solver)

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """The inner strategy's plan with the tasks that it lacked and the order that it needs, proved.

        Raises:
            InvalidPlan: the inner strategy has no plan, or a task of its plan needs what nobody gives: which task, and what.
            Unreachable: the author's goal cannot be reached.
            EngineError: the inner strategy's.
        """
        proposed = await self.inner.plan(asked, ctx)
        world = await self.world(asked, ctx)
        base = setting(asked.crew, world)
        results = asked.so_far.results if asked.so_far else {}
        before = [task for task in asked.so_far.tasks if task.id in results] if asked.so_far else []
        goal = tuple(map(Literal.parse, world.goal))
        tasks, findings = await completed(
            proposed.tasks,
            asked.crew,
            base.after(before),
            journalled(self.solver, ctx),
            goal=goal,
            done=frozenset(results),
            request=asked.request,
            engines=self.engines,
            least=self.least,
            limit=self.limit,
        )
        if wrong(findings):
            raise InvalidPlan(f"No valid plan could be made: {listed(wrong(findings))}")
        added = len(tasks) - len(proposed.tasks)
        note = f"Proved in every order it allows; {added} task{'s' if added != 1 else ''} added for what others need."
        return proposed.model_copy(
            update={
                "tasks": tasks,
                "strategy": f"hybrid:{proposed.strategy}",
                "notes": (*proposed.notes, note, *base.notes),
                "findings": (*proposed.findings, *findings),
            }
        )
