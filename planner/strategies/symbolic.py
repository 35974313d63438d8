"""The symbolic strategy: goals, and what the crew's tools need and change, given to planners; what they find is proved.

Facts come from the crew's author, goals too or off the request: by rules, else by a model that may fill in goals and
nothing more. The model never writes an action, and no plan leaves that was not proved in every order it allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ...agents.model import ModelClient
from ...runtime.context import RunContext
from ...runtime.errors import InvalidPlan
from ...tools.planning import Literal
from ..asked import Asked, call_key
from ..plan import Plan
from ..symbolic.goals import model_goals, named_goals, unspoken, wishes
from ..symbolic.problem import listed
from ..symbolic.recipes import Recipe
from ..symbolic.search import SEARCH, Least, find
from ..symbolic.solving.request import Engine, Reply, Request
from ..symbolic.solving.solver import Solver
from ..symbolic.tasks import answer, tasks_of
from ..symbolic.world import Setting, World, Worlds, setting


@dataclass(frozen=True)
class SymbolicStrategy:
    """Plans by search. `world` tells the things, the facts and perhaps the goals; `client` reads goals off a request where
    the rules cannot.

    `recipes` are tried before any search. `least` says what a plan is to have little of (see `find`), `limit` how many
    seconds the solver has for one problem, `engines` which planners are tried, in that order.
    """

    world: Worlds
    client: ModelClient | None = None
    recipes: Sequence[Recipe] = ()
    least: Least | None = None
    limit: float = 30.0
    engines: Sequence[Engine] = SEARCH
    solver: Solver = field(default_factory=Solver)

    async def plan(self, asked: Asked, ctx: RunContext) -> Plan:
        """A proved plan: tool calls that reach the goal, side by side where none needs another's effect, and an answer.

        Where an earlier plan is changed, what was done stays, its effects are facts, and calls that failed are not made
        again the same.

        Raises:
            Unreachable: no tool gives what is wished, or the wishes exclude each other; the message says which.
            InvalidPlan: nothing could be read as a goal, nothing was found in time, or no planner is installed.
            InvalidCrew: a fact, a tool's action or a recipe cannot be read.
            EngineError: the model was needed for the goals and did not answer.
        """
        world = await self.world(asked, ctx)
        base = setting(asked.crew, world)
        if not base.problem.operators:
            raise InvalidPlan(
                "No tool of this crew says what it does to the world: give some of them traits=Traits(action=Action(…))."
            )
        for recipe in self.recipes:
            recipe.check(base.problem.operators, self.recipes)
        goal, why = await self._goal(asked, ctx, world, base)
        kept = tuple(t for t in asked.so_far.tasks if t.id in asked.so_far.results) if asked.so_far else ()
        now = base.after(kept).without(_tried(asked))
        found = await find(
            now.aiming(goal),
            journalled(self.solver, ctx),
            recipes=self.recipes,
            engines=self.engines,
            least=self.least,
            limit=self.limit,
        )
        before = asked.so_far.tasks if asked.so_far else ()
        kept = tuple(task for task in kept if task.tool is not None)
        made = tasks_of(found.plan, asked.crew, now, taken={task.id for task in before})
        tasks = (*kept, *made)
        notes = (why, f"Planned by {found.by}.", *base.notes)
        return Plan(
            tasks=(*tasks, answer(asked.request, tasks, asked.crew)), strategy="symbolic", notes=notes
        )

    async def _goal(
        self, asked: Asked, ctx: RunContext, world: World, base: Setting
    ) -> tuple[Sequence[Literal], str]:
        """The goals, and in words where they come from."""
        if world.goal:
            goal = tuple(map(Literal.parse, world.goal))
            return goal, f"Goal, as the crew's author gave it: {listed(goal)}."
        wished = wishes(base.problem, base.tools)
        named = named_goals(asked.request, base.problem, wished)
        silent = unspoken(asked.request, base.problem, named)
        if self.client is not None and (silent or not named):
            goal = await model_goals(ctx, self.client, asked.request, base.problem, wished)
            if goal:
                return goal, f"Goal, as the model reads the request: {listed(goal)}."
        if named:
            more = f" Nothing was planned for {', '.join(silent)}: no goal speaks of that." if silent else ""
            return named, f"Goal, as the request names it: {listed(named)}.{more}"
        names = ", ".join(dict.fromkeys(wish.name for wish in wished)) or "nothing"
        things = ", ".join(list(world.objects)[:8]) or "none"
        raise InvalidPlan(
            f"The request names no goal that this crew's tools know: say what is to hold, with one of {names}, of these "
            f"things: {things}{', …' if len(world.objects) > 8 else ''}."
        )


def journalled(solver: Solver, ctx: RunContext) -> Callable[[Request], Awaitable[Reply]]:
    """The solver as steps of a run: what it once answered is read back afterwards, wherever it is or is not installed."""

    async def solve(request: Request) -> Reply:
        inputs = request.model_dump(mode="json")
        return await ctx.step("solve", lambda: solver.solve(request), inputs=inputs, returns=Reply)

    return solve


def _tried(asked: Asked) -> frozenset[str]:
    """The calls that failed in this run."""
    if asked.so_far is None:
        return frozenset()
    failed = {call_key(task) for task in asked.so_far.tasks if task.id in asked.so_far.failures}
    return asked.so_far.tried | failed
