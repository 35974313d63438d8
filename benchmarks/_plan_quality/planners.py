"""The planners that are held against each other; each is the product's own, called as the planning service calls it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from crewgraph.planner.checking.checker import check
from crewgraph.planner.plan import ANSWER, Plan, wrong
from crewgraph.planner.strategies.rules import by_rules

from .rows import Row
from .scoring import Made
from .tools import Offer


def by_the_rules(row: Row, offered: Offer) -> Made:
    """The plan of rules and retrieval alone."""
    began = time.perf_counter()
    plan = by_rules(offered.crew, row.request)
    return made(plan, offered, time.perf_counter() - began)


def made(plan: Plan, offered: Offer, seconds: float, *, free: bool = False) -> Made:
    """A plan as it is scored: without the task that answers, tools called as the source calls them.

    `free` takes tasks that call no tool for nodes, by their text.
    """
    work = [t for t in plan.tasks if t.id != ANSWER and (free or t.tool is not None)]
    ids = {t.id for t in work}
    nodes: Mapping[str, str] = {t.id: t.description if free else offered.names[t.tool or ""] for t in work}
    return Made(
        nodes=nodes,
        args={t.id: {n: _literal(v) for n, v in t.args.items()} for t in work},
        edges=frozenset((need, t.id) for t in work for need in t.needs if need in ids),
        valid=not wrong(check(plan.tasks, offered.crew)),
        seconds=seconds,
    )


def _literal(value: object) -> object:
    """A text as it is meant: in arguments a $ at its head is doubled where it is no reference."""
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value
