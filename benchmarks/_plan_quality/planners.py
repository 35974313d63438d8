"""The planners that are held against each other; each is the product's own, called as the planning service calls it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from crewgraph import Agent, Crew
from crewgraph.agents.model import ModelClient
from crewgraph.planner.asked import Asked, Example
from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import ANSWER, Plan, wrong
from crewgraph.planner.reading.shortlist import shortlist
from crewgraph.planner.strategies.guided import Guided
from crewgraph.planner.strategies.model import ModelStrategy
from crewgraph.planner.strategies.rules import by_rules
from crewgraph.runtime.context import RunContext
from crewgraph.runtime.errors import InvalidPlan
from crewgraph.runtime.store import Store

from .memory import Memory
from .rows import Row
from .scoring import Made
from .tools import Offer

SHOWN = 12
"""Of more tools a model is shown so many, the nearest to the request."""
_EXAMPLES = 8

Planner = Callable[[Row, Offer], Awaitable[Made | None]]
"""Plans one row; None where no plan left the planner."""


def rules() -> Planner:
    """Rules and the shortlist alone: nothing is known but the request and the tools."""

    async def plan(row: Row, offered: Offer) -> Made:
        return by_the_rules(row, offered)

    return plan


def with_memory(memory: Memory) -> Planner:
    """The same with plans that worked: those of other rows."""

    async def plan(row: Row, offered: Offer) -> Made:
        return by_the_rules(row, offered, await memory.like(row, _EXAMPLES))

    return plan


def by_the_rules(row: Row, offered: Offer, examples: Sequence[Example] = ()) -> Made:
    """One row planned by rules."""
    began = time.perf_counter()
    plan = by_rules(offered.crew, row.request, examples=examples)
    return made(plan, offered, time.perf_counter() - began)


@dataclass(frozen=True)
class OnModel:
    """The model under the plan's schema, alone or (`guided`) choosing among what the rules lay out."""

    client: ModelClient
    store: Store
    guided: bool = False
    memory: Memory | None = None

    async def __call__(self, row: Row, offered: Offer) -> Made | None:
        """One row planned by the model."""
        began = time.perf_counter()
        narrowed = offered if self.guided else _narrowed(row, offered)
        strategy = Guided(self.client) if self.guided else ModelStrategy(self.client, most=6)
        examples = await self.memory.like(row, _EXAMPLES) if self.memory else ()
        async with await self.store.create_run("plan_quality", row.id) as journal:
            try:
                asked = Asked(narrowed.crew, row.request, examples=examples, trusted=offered.free)
                plan = await strategy.plan(asked, RunContext(journal))
            except InvalidPlan:
                return None
        return made(plan, narrowed, time.perf_counter() - began)


def _narrowed(row: Row, offered: Offer) -> Offer:
    tools = [tool for tool in offered.crew.toolset.values() if not tool.combines]
    if len(tools) <= SHOWN:
        return offered
    near = shortlist(row.request, tools, SHOWN) or tools[:SHOWN]
    return Offer(
        Crew([Agent("helper", "Do what the user asks.", tools=near)], name="offered"),
        offered.names,
        parameters=offered.parameters,
    )


def made(plan: Plan, offered: Offer, seconds: float) -> Made:
    """A plan as it is scored: without the task that answers, tools called as the source calls them."""
    work = [t for t in plan.tasks if t.id != ANSWER and (offered.free or t.tool is not None)]
    ids = {t.id for t in work}
    nodes: Mapping[str, str] = {
        t.id: t.description if offered.free else offered.names.get(t.tool or "", t.tool or "") for t in work
    }
    return Made(
        nodes=nodes,
        args={
            t.id: {offered.parameters.get((t.tool or "", n), n): _literal(v) for n, v in t.args.items()}
            for t in work
        },
        edges=frozenset((need, t.id) for t in work for need in t.needs if need in ids),
        valid=not wrong(check(plan.tasks, offered.crew)),
        seconds=seconds,
    )


def _literal(value: object) -> object:
    """A text as it is meant: in arguments a $ at its head is doubled where it is no reference."""
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value
