"""Why there is no plan, in a sentence that names what is missing and what comes nearest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import combinations

from ...runtime.errors import InvalidPlan, Unreachable
from ...tools.planning import Literal
from .problem import Operator, Problem, atom, listed, negated, said
from .solving.request import INSTALL, Reply, Request

_ASKINGS = 40
"""How many smaller problems are solved at most to say which part of a goal is too much."""

_LESS_TIME = 0.2


def look_before(problem: Problem) -> None:
    """Refuse what no search is needed for.

    Raises:
        InvalidPlan: a fact or goal names a thing that is not there.
        Unreachable: a goal and its opposite, or one that nothing gives.
    """
    known = set(problem.objects)
    for what, literals in (("goal", problem.goal), ("fact", problem.facts)):
        for literal in literals:
            for term in literal.terms:
                if term not in known:
                    raise InvalidPlan(f"The {what} {said(literal)} names {unknown(term, known)}")
    for operator in problem.operators:
        for literal in (*operator.before, *operator.after):
            for term in literal.terms:
                if not term.startswith("{") and term not in known:
                    raise InvalidPlan(f"The tool {operator.name} names {unknown(term, known)}")
    wanted = set(problem.goal)
    for goal in problem.goal:
        if goal.holds and negated(goal) in wanted:
            raise Unreachable(
                f"cannot: the goals {said(goal)} and {said(negated(goal))} exclude each other; drop one of them."
            )
    for goal in problem.goal:
        if why := missing(problem, goal):
            raise Unreachable(why)


def unknown(term: str, known: Iterable[str]) -> str:
    """The end of a sentence about a thing that is not there."""
    names = sorted(known)
    near = get_close_matches(term, names, 3, 0.5) or names[:5]
    return f"{term!r}, which is nothing that is known here; nearest are: {', '.join(near) or 'nothing, for there are no things'}."


def missing(problem: Problem, goal: Literal) -> str:
    """Why no tool can bring a goal about, whatever is done; "" where that cannot be told without search."""
    held = {atom(fact) for fact in problem.facts if fact.holds}
    if (atom(goal) in held) == goal.holds:
        return ""
    givers = [one for one in problem.operators if gives(problem, one, goal)]
    if not givers:
        return f"cannot: no tool gives {said(goal)}; nearest are {nearest(problem, goal)}."
    there = _obtainable(problem)
    lacks = {
        one.name: [need for need in one.before if need.holds and need.name not in there] for one in givers
    }
    if all(lacks.values()):
        first, needs = next(iter(lacks.items()))
        return (
            f"cannot: no tool gives {said(needs[0])}, which {first} needs to give {said(goal)}; "
            f"nearest are {nearest(problem, needs[0])}."
        )
    return ""


def gives(problem: Problem, operator: Operator, goal: Literal) -> bool:
    """Whether an operator, done with the right things, brings a literal about."""
    for one in operator.after:
        if (one.name, len(one.terms), one.holds) != (goal.name, len(goal.terms), goal.holds):
            continue
        bound: dict[str, str] = {}
        if all(
            bound.setdefault(term, thing) == thing and problem.is_a(thing, operator.kinds.get(term[1:-1]))
            if term.startswith("{")
            else term == thing
            for term, thing in zip(one.terms, goal.terms, strict=True)
        ):
            return True
    return False


def nearest(problem: Problem, goal: Literal) -> str:
    """The operators that come nearest to a literal, by what they give and how they are called."""
    about = {goal.name, *goal.name.replace("_", "-").split("-")}

    def likeness(one: Operator) -> tuple[int, int, float]:
        names = {part.name for part in one.after if part.holds == goal.holds}
        words = " ".join((one.name, *names)).replace("_", " ").replace("-", " ").split()
        close = sum(bool(get_close_matches(word, words, 1, 0.7)) for word in about)
        kinds = {problem.objects.get(term) for term in goal.terms} & set(one.kinds.values())
        return (goal.name in names, close, len(kinds))

    best = sorted(problem.operators, key=likeness, reverse=True)[:3]
    shown = [f"{one.name} (gives {listed(one.after) or 'nothing'})" for one in best]
    return ", ".join(shown) or "none, for no tool says what it changes"


def _obtainable(problem: Problem) -> set[str]:
    """Predicates of which some fact can hold at all: those of the facts, and those that a tool gives that can be used."""
    there = {fact.name for fact in problem.facts if fact.holds}
    while True:
        more = {
            one.name
            for operator in problem.operators
            if all(need.name in there for need in operator.before if need.holds)
            for one in operator.after
            if one.holds
        }
        if more <= there:
            return there
        there |= more


async def why_not(
    problem: Problem, solve: Callable[[Request], Awaitable[Reply]], asked: Request
) -> Unreachable:
    """The error for a problem that was proved to have no plan: parts of its goal are solved alone to see what is too much."""
    left = _ASKINGS

    async def never(goal: tuple[Literal, ...]) -> bool:
        nonlocal left
        left -= 1
        part = Problem(problem.operators, problem.objects, problem.facts, goal, problem.parents)
        smaller = {"problem": part, "limit": max(1.0, asked.limit * _LESS_TIME)}
        return left >= 0 and (await solve(asked.model_copy(update=smaller))).status == "unsolvable"

    if len(problem.goal) == 1:
        return _never(problem, problem.goal[0])
    for goal in problem.goal:
        if await never((goal,)):
            return _never(problem, goal)
    for size in range(2, len(problem.goal)):
        for some in combinations(problem.goal, size):
            if left <= 0:
                break
            if await never(some):
                return _together(some)
    return _together(problem.goal)


def not_found(problem: Problem, failed: Mapping[str, Reply], limit: float) -> InvalidPlan:
    """The error for a problem of which nobody knows whether it has a plan: what each engine said."""
    goal = listed(problem.goal)
    if all(reply.status == "missing" for reply in failed.values()):
        return InvalidPlan(f"None of the planners {', '.join(failed)} is installed: {INSTALL}")
    if any(reply.status == "late" for reply in failed.values()):
        return InvalidPlan(
            f"The symbolic planner found no plan for {goal} in {limit:g} s: allow it more time, or ask for fewer goals at once."
        )
    told = "; ".join(f"{engine}: {reply.said}" for engine, reply in failed.items())
    return InvalidPlan(
        f"The symbolic planner found no valid plan for {goal}, and no proof that there is none ({told})."
    )


def _never(problem: Problem, goal: Literal) -> Unreachable:
    givers = ", ".join(one.name for one in problem.operators if gives(problem, one, goal))
    return Unreachable(
        f"cannot: {said(goal)} cannot be reached from the facts as they are; {givers} would give it, and what that "
        "needs never comes about. Look at the facts, or give the crew a tool for what is missing."
    )


def _together(goals: Iterable[Literal]) -> Unreachable:
    shown = [said(goal) for goal in goals]
    return Unreachable(
        f"cannot: the goals {' and '.join(shown)} can each be reached alone, and not together; drop one of them."
    )
