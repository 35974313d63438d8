"""From a problem to a proved plan: recipes first, then search; what comes back is trimmed, loosened and proved.

Nothing here has effects but the solver, which comes as a function, so that a run can journal each asking.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...runtime.errors import Unreachable
from .order import Ordered, loosened, trimmed
from .pddl import read_pddl
from .problem import Problem, Step, listed
from .proof import after_all, proved
from .recipes import Recipe
from .refusal import look_before, not_found, why_not
from .solving.request import Engine, Reply, Request
from .solving.solver import Solver

Least = Literal["money", "seconds", "steps", "critical_path"]
"""What a plan is to have little of: money, seconds one after the other, steps, or seconds of its longest chain."""

Solve = Callable[[Request], Awaitable[Reply]]

SEARCH: tuple[Engine, ...] = ("fast-downward-best", "fast-downward", "pyperplan")
"""The engines that are tried, in this order. Tamer comes in only for the critical path, where it is installed."""

_SCALE = 1000
_FOR_PROOF = 0.4
_LONGEST_PROOF = (
    5.0  # seconds for proving a plan the cheapest, when an engine comes after that takes the first it finds
)
_LEAST_TIME = 1.0
_FOR_RECIPES = 0.3  # of the time: recipes that call each other without end must leave some for search
_WORDS: dict[str, str] = {
    "recipes": "known recipes",
    "fast-downward-best": "Fast Downward (A* with LM-cut)",
    "fast-downward": "Fast Downward (LAMA, first plan)",
    "pyperplan": "Pyperplan",
    "tamer": "Tamer",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A proved plan, which engine it is of, and whether that proved that none has less of what was to be little."""

    plan: Ordered
    engine: str
    cheapest: bool = False
    least: Least = "steps"

    @property
    def by(self) -> str:
        """For people."""
        if not self.plan.steps:
            return "nothing needs doing: the goal holds already"
        of = "seconds of work" if self.least in ("seconds", "critical_path") else self.least
        more = f", proved: none takes less {of}" if self.cheapest and of == "money" else ""
        if self.cheapest and of != "money":
            more = f", proved: none takes fewer {of}"
        return f"{_WORDS.get(self.engine, self.engine)}{more}"


async def find(
    problem: Problem,
    solve: Solve,
    *,
    recipes: Sequence[Recipe] = (),
    engines: Sequence[Engine] = SEARCH,
    least: Least | None = None,
    limit: float = 30.0,
    explain: bool = True,
) -> Found:
    """A plan that reaches the problem's goal, proved in every order that its edges allow.

    `least` is money where any operator costs some, else seconds where any is known, else steps. `limit` are seconds for
    the engines together. With `explain` smaller problems are solved to say why there is no plan.

    Raises:
        Unreachable: there is none; the message says which part of the goal nothing gives, or which parts exclude
            each other.
        InvalidPlan: none was found in time, no planner is installed, or what they gave is no plan.
    """
    look_before(problem)
    least = least or _least(problem)
    if not after_all(problem.facts, (), problem.goal):
        return Found(Ordered((), ()), "", least=least)
    if recipes:
        known = Request(problem=problem, engine="recipes", recipes=tuple(recipes), limit=limit * _FOR_RECIPES)
        found = _proved(problem, await solve(known), "recipes", least)
        if isinstance(found, Found):
            return found
    costs = _costs(problem, least)
    failed: dict[str, Reply] = {}
    left = limit
    for place, engine in enumerate(engines):
        proving = engine == "fast-downward-best" and place + 1 < len(engines)
        own = min(left * _FOR_PROOF, _LONGEST_PROOF) if proving else left
        asked = Request(problem=problem, engine=engine, costs=costs, limit=own)
        reply = await solve(asked)
        if reply.status == "unsolvable" and explain:
            raise await why_not(problem, solve, asked)
        if reply.status == "unsolvable":
            raise Unreachable(f"cannot: {listed(problem.goal)} cannot be reached.")
        found = _proved(problem, reply, engine, least)
        if isinstance(found, Found):
            return await _shorter(problem, solve, found, limit) if least == "critical_path" else found
        failed[engine] = reply.model_copy(update={"said": found})
        left -= own if reply.status == "late" else 0
        if left < _LEAST_TIME:
            break
    raise not_found(problem, failed, limit)


async def solve_pddl(
    domain: str, problem: str, *, solver: Solver, engines: Sequence[Engine] = SEARCH, limit: float = 30.0
) -> Found:
    """A proved plan for the texts of a PDDL domain and problem (see `read_pddl`), with the least cost where it has costs.

    Raises:
        InvalidInput: it is no PDDL that is read here.
        InvalidPlan: see `find`.
    """
    return await find(read_pddl(domain, problem), solver.solve, engines=engines, limit=limit)


def _proved(problem: Problem, reply: Reply, engine: Engine, least: Least) -> Found | str:
    """The reply as a proved plan, or why it is none."""
    if reply.status != "solved":
        return reply.said or reply.status
    steps: list[Step] = []
    for name, args in reply.steps:
        operator = problem.operator(name)
        if operator is None or not problem.fills(operator, args):
            return f"{name}({', '.join(args)}) is nothing that can be done"
        steps.append(operator.step(args))
    if missing := after_all(problem.facts, steps, problem.goal):
        return missing[0].sentence(steps)
    plan = loosened(problem.facts, trimmed(problem.facts, steps, problem.goal), problem.goal)
    if wrong := proved(problem, plan.steps, plan.needs):
        return wrong[0]
    return Found(plan, engine, reply.cheapest, least)


async def _shorter(problem: Problem, solve: Solve, found: Found, limit: float) -> Found:
    """The best of several plans: the first one, one of which the steps count, and that of an engine that knows time."""
    best = found
    for request in (
        Request(problem=problem, engine="fast-downward", costs=_costs(problem, "steps"), limit=limit),
        Request(problem=problem, engine="tamer", timed=True, limit=limit),
    ):
        other = _proved(problem, await solve(request), request.engine, "critical_path")
        if isinstance(other, Found) and other.plan.critical_seconds < best.plan.critical_seconds:
            best = other
    return best


def _least(problem: Problem) -> Least:
    if any(one.money for one in problem.operators):
        return "money"
    return "seconds" if any(one.seconds is not None for one in problem.operators) else "steps"


def _costs(problem: Problem, least: Least) -> tuple[int, ...]:
    """Whole numbers for the engines; each step costs a little, so that of two plans alike the shorter one is taken."""
    if least == "steps":
        return (1,) * len(problem.operators)
    if least == "money":
        return tuple(round(one.money * _SCALE) + 1 for one in problem.operators)
    return tuple(
        round((1.0 if one.seconds is None else one.seconds) * _SCALE) + 1 for one in problem.operators
    )
