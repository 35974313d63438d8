"""Recipes carried out by GTPyhop, inside the solver's process: it keeps its domains in module globals.

(Bansod, Patra, Nau and Roberts, HTN replanning from the middle, 2022.) GTPyhop backtracks over methods and not over the
things that a method may choose, so each choice is a task of its own: take this one, or go on to the next.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ....tools.planning import Literal
from ..problem import Atom, Problem, atom
from ..proof import done
from ..recipes import Recipe, places
from .request import Reply, Request

_CHOICE = "choose:"


def by_recipes(request: Request) -> Reply:
    """A plan for the goals, one after the other, by the recipes alone."""
    gtpyhop: Any = importlib.import_module("gtpyhop")  # it ships no types
    problem = request.problem
    todo = [_task(goal.name, goal.terms) for goal in problem.goal]
    tasks = {_head(Literal.parse(recipe.task)) for recipe in request.recipes}
    if any(name not in tasks or not goal.holds for (name, *_), goal in zip(todo, problem.goal, strict=True)):
        return Reply(status="unsolved", said="no recipe is for each of the goals")
    domain: Any = gtpyhop.Domain("crew")  # which makes it the current one, to which all is declared
    _declare(gtpyhop, problem, request.recipes)
    state: Any = gtpyhop.State("now", facts=frozenset(atom(fact) for fact in problem.facts if fact.holds))
    with gtpyhop.PlannerSession(
        domain=domain, strategy="iterative_dfs_backtracking", structured_logging=False
    ) as session:
        result = session.find_plan(state, todo)
    if not result.success or result.plan is None:
        return Reply(status="unsolved", said="no recipe applies")
    steps = tuple((str(name), tuple(map(str, args))) for name, *args in result.plan)
    return Reply(status="solved", steps=steps)


def _declare(gtpyhop: Any, problem: Problem, recipes: Sequence[Recipe]) -> None:
    """Tools as actions and recipes as methods."""

    def action(name: str) -> Callable[..., Any]:
        def act(state: Any, *args: str) -> Any:
            operator = problem.operator(name)
            if operator is None or not problem.fills(operator, args):
                return False
            step = operator.step(args)
            if any((atom(need) in state.facts) != need.holds for need in step.before):
                return False
            state.facts = frozenset(done(state.facts, step))
            return state

        act.__name__ = name
        return act

    gtpyhop.declare_actions(*(action(operator.name) for operator in problem.operators))
    methods: dict[str, list[Callable[..., Any]]] = {}
    for place, recipe in enumerate(recipes):
        choice = f"{_CHOICE}{place}"
        head = Literal.parse(recipe.task)
        held = methods.setdefault(_head(head), [])
        if head.name in {goal.name for goal in problem.goal} and not held:
            held.append(_already(head.name))
        held.append(_chosen(choice))
        methods[choice] = [_taken(problem, recipe), _next(problem, recipe, choice)]
    for task, ways in methods.items():
        gtpyhop.declare_task_methods(task, *ways)


def _already(name: str) -> Callable[..., Any]:
    def already(state: Any, *args: str) -> Any:
        return [] if (name, *args) in state.facts else False

    return already


def _chosen(choice: str) -> Callable[..., Any]:
    def begin(state: Any, *args: str) -> Any:
        return [(choice, 0, *args)]

    return begin


def _taken(problem: Problem, recipe: Recipe) -> Callable[..., Any]:
    def take(state: Any, number: int, *args: str) -> Any:
        for place, bound in enumerate(_ways(problem, recipe, state.facts, args)):
            if place == number:
                return [_task(s.name, _filled(s, bound), problem) for s in map(Literal.parse, recipe.steps)]
        return False

    return take


def _next(problem: Problem, recipe: Recipe, choice: str) -> Callable[..., Any]:
    def go_on(state: Any, number: int, *args: str) -> Any:
        more = any(place > number for place, _ in enumerate(_ways(problem, recipe, state.facts, args)))
        return [(choice, number + 1, *args)] if more else False

    return go_on


def _ways(
    problem: Problem, recipe: Recipe, facts: frozenset[Atom], args: Sequence[str]
) -> Iterator[Mapping[str, str]]:
    """Every way to fill the names of a recipe so that its task is this one and its `when` holds."""
    bound: dict[str, str] = {}
    for term, value in zip(Literal.parse(recipe.task).terms, args, strict=True):
        if bound.get(term, value) != value or (not term.startswith("{") and term != value):
            return
        bound[term] = value
    conditions = [Literal.parse(text) for text in recipe.when]
    yield from _matches(
        problem, sorted(conditions, key=lambda one: not one.holds), sorted(facts), facts, bound
    )


def _matches(
    problem: Problem,
    conditions: Sequence[Literal],
    ordered: Sequence[Atom],
    facts: frozenset[Atom],
    bound: Mapping[str, str],
) -> Iterator[Mapping[str, str]]:
    if not conditions:
        yield bound
        return
    first, rest = conditions[0], conditions[1:]
    if not first.holds:
        unbound = [f"{{{name}}}" for name in sorted(places(first)) if f"{{{name}}}" not in bound]
        if unbound:
            for thing in problem.objects:
                yield from _matches(problem, conditions, ordered, facts, {**bound, unbound[0]: thing})
        elif (first.name, *_filled(first, bound)) not in facts:
            yield from _matches(problem, rest, ordered, facts, bound)
        return
    for name, *terms in ordered:
        if name != first.name or len(terms) != len(first.terms):
            continue
        more = dict(bound)
        if all(
            more.setdefault(term, value) == value if term.startswith("{") else term == value
            for term, value in zip(first.terms, terms, strict=True)
        ):
            yield from _matches(problem, rest, ordered, facts, more)


def _filled(literal: Literal, bound: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(bound.get(term, term) for term in literal.terms)


def _head(literal: Literal) -> str:
    return _task(literal.name, literal.terms)[0]


def _task(name: str, terms: Sequence[str], problem: Problem | None = None) -> tuple[str, ...]:
    """A tool is called by its name, a task by name and number of things, so that both may be called the same."""
    if problem is not None and problem.operator(name) is not None:
        return (name, *terms)
    return (f"task:{name}/{len(terms)}", *terms)
