"""Problems given to planners through unified-planning, inside the solver's process.

Every name goes over as a short one of ours, so that things may be called as people call them. Kinds are types, except
for Tamer, which knows no kinds within kinds: there they are facts that nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ....tools.planning import Literal
from ..problem import Operator, Problem
from .methods import by_recipes
from .request import Engine, Reply, Request, Status

_MODULES: dict[Engine, str] = {
    "recipes": "gtpyhop",
    "fast-downward-best": "up_fast_downward",
    "fast-downward": "up_fast_downward",
    "pyperplan": "up_pyperplan",
    "tamer": "up_tamer",
}
_STATUS: dict[str, Status] = {"UNSOLVABLE_PROVEN": "unsolvable", "TIMEOUT": "late"}


def installed(engine: Engine) -> bool:
    """Whether an engine and what it needs are here."""
    return find_spec(_MODULES[engine]) is not None and (
        engine == "recipes" or find_spec("unified_planning") is not None
    )


def solve(request: Request) -> Reply:
    """What the request's engine finds."""
    if not installed(request.engine):
        return Reply(status="missing", said="it is not installed")
    return by_recipes(request) if request.engine == "recipes" else _planned(request)


def _planned(request: Request) -> Reply:
    engine = request.engine
    up: Any = import_module("unified_planning.shortcuts")
    up.get_environment().credits_stream = None
    timed = request.timed and engine == "tamer"
    made = _Made(up, request.problem, request.costs, typed=engine != "tamer", timed=timed)
    problem, back = made.problem, None
    if engine == "pyperplan" and problem.kind.has_negative_conditions():
        kind: Any = import_module("unified_planning.engines").CompilationKind.NEGATIVE_CONDITIONS_REMOVING
        with up.Compiler(problem_kind=problem.kind, compilation_kind=kind) as compiler:
            compiled = compiler.compile(problem, kind)
        problem, back = compiled.problem, compiled.map_back_action_instance
    if engine in ("pyperplan", "tamer"):
        problem.clear_quality_metrics()
    name, options = _engine(engine, request.limit)
    with up.OneshotPlanner(name=name, params=options) as planner:
        if not planner.supports(problem.kind):
            return Reply(status="unsolved", said="it cannot express this problem")
        result = planner.solve(problem)
    if result.plan is None:
        status = _STATUS.get(result.status.name, "unsolved")
        # Pyperplan's search visits everything that the relaxed problem does not rule out, and ends.
        proof = engine == "pyperplan" and status == "unsolved"
        return Reply(status="unsolvable" if proof else status)
    plan = result.plan if back is None else result.plan.replace_action_instances(back)
    cheapest = engine == "fast-downward-best"
    return Reply(status="solved", steps=made.steps(plan), cheapest=cheapest)


def _engine(engine: Engine, limit: float) -> tuple[str, dict[str, Any]]:
    """unified-planning's name of an engine, and how it is set up."""
    if engine == "fast-downward-best":
        seconds = f"{max(1, int(limit))}s"
        return "fast-downward", {
            "fast_downward_search_config": "astar(lmcut())",
            "fast_downward_search_time_limit": seconds,
        }
    if engine == "fast-downward":
        return engine, {"fast_downward_search_time_limit": f"{max(1, int(limit))}s"}
    return engine, {}


class _Made:
    """A problem of ours as one of unified-planning's, and the way back."""

    def __init__(self, up: Any, problem: Problem, costs: Sequence[int], *, typed: bool, timed: bool) -> None:
        self._up = up
        self._problem = problem
        self._typed = typed
        self._thing: Any = up.UserType("thing")
        self._kinds: dict[str, Any] = {}
        self._predicates: dict[tuple[str, int], Any] = {}
        self._static: dict[str, Any] = {}
        self.problem: Any = up.Problem("crew")
        self._objects = {
            name: up.Object(f"o{n}", self._kind(kind))
            for n, (name, kind) in enumerate(problem.objects.items())
        }
        self._names = {f"o{n}": name for n, name in enumerate(problem.objects)}
        self.problem.add_objects(self._objects.values())
        actions = [
            (self._timed if timed else self._instant)(f"a{n}", operator)
            for n, operator in enumerate(problem.operators)
        ]
        for literal in (*problem.facts, *problem.goal):
            self._fluent(literal)
        for fluent in (*self._predicates.values(), *self._static.values()):
            self.problem.add_fluent(fluent, default_initial_value=False)
        self.problem.add_actions(actions)
        for fact in problem.facts:
            if fact.holds:
                self.problem.set_initial_value(self._atom(fact, {}), True)
        for kind, fluent in self._static.items():
            for name in problem.objects:
                if problem.is_a(name, kind):
                    self.problem.set_initial_value(fluent(self._objects[name]), True)
        for goal in problem.goal:
            self.problem.add_goal(self._condition(goal, {}))
        if costs and not timed:
            said = {action: up.Int(cost) for action, cost in zip(actions, costs, strict=True)}
            self.problem.add_quality_metric(up.MinimizeActionCosts(said))

    def steps(self, plan: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The plan's steps by our names; those of a plan in time in the order of their ends."""
        if hasattr(plan, "timed_actions"):
            ended = sorted(plan.timed_actions, key=lambda one: one[0] + (one[2] or Fraction(0)))
            instances = [one[1] for one in ended]
        else:
            instances = list(plan.actions)
        return tuple(
            (
                self._problem.operators[int(one.action.name[1:])].name,
                tuple(self._names[value.object().name] for value in one.actual_parameters),
            )
            for one in instances
        )

    def _kind(self, name: str) -> Any:
        if not self._typed or not name:
            return self._thing
        if name not in self._kinds:
            parent = self._kind(self._problem.parents.get(name, ""))
            self._kinds[name] = self._up.UserType(f"k{len(self._kinds)}", parent)
        return self._kinds[name]

    def _parameters(self, operator: Operator) -> dict[str, Any]:
        return {f"x{n}": self._kind(operator.kinds.get(p, "")) for n, p in enumerate(operator.parameters)}

    def _bound(self, action: Any, operator: Operator) -> dict[str, Any]:
        return {f"{{{name}}}": action.parameter(f"x{n}") for n, name in enumerate(operator.parameters)}

    def _of_kinds(self, operator: Operator, bound: dict[str, Any]) -> list[Any]:
        """What keeps an action to its kinds where these are no types."""
        if self._typed:
            return []
        made: list[Any] = []
        for name, kind in operator.kinds.items():
            if kind not in self._static:
                fluent = self._up.Fluent(f"is{len(self._static)}", self._up.BoolType(), x0=self._thing)
                self._static[kind] = fluent
            made.append(self._static[kind](bound[f"{{{name}}}"]))
        return made

    def _instant(self, name: str, operator: Operator) -> Any:
        action = self._up.InstantaneousAction(name, **self._parameters(operator))
        bound = self._bound(action, operator)
        for need in (
            *self._of_kinds(operator, bound),
            *(self._condition(one, bound) for one in operator.before),
        ):
            action.add_precondition(need)
        for one in operator.after:
            action.add_effect(self._atom(one, bound), one.holds)
        return action

    def _timed(self, name: str, operator: Operator) -> Any:
        """An action that lasts: what it needs holds from its start until its end, at which its effects come."""
        up = self._up
        action = up.DurativeAction(name, **self._parameters(operator))
        action.set_fixed_duration(up.Real(Fraction(operator.seconds or 1).limit_denominator(1000)))
        bound = self._bound(action, operator)
        during = up.RightOpenTimeInterval(up.StartTiming(), up.EndTiming())
        for need in (
            *self._of_kinds(operator, bound),
            *(self._condition(one, bound) for one in operator.before),
        ):
            action.add_condition(during, need)
        for one in operator.after:
            action.add_effect(up.EndTiming(), self._atom(one, bound), one.holds)
        return action

    def _condition(self, literal: Literal, bound: dict[str, Any]) -> Any:
        atom = self._atom(literal, bound)
        return atom if literal.holds else self._up.Not(atom)

    def _atom(self, literal: Literal, bound: dict[str, Any]) -> Any:
        return self._fluent(literal)(*(bound.get(t) or self._objects[t] for t in literal.terms))

    def _fluent(self, literal: Literal) -> Any:
        key = (literal.name, len(literal.terms))
        if key not in self._predicates:
            terms = {f"x{n}": self._thing for n in range(key[1])}
            new: Callable[..., Any] = self._up.Fluent
            self._predicates[key] = new(f"p{len(self._predicates)}", self._up.BoolType(), **terms)
        return self._predicates[key]
