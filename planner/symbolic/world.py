"""The world as a crew's author tells it, and the planning problem that it makes with what the crew's tools can do."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ...agents.crew import Crew
from ...runtime.context import RunContext
from ...runtime.errors import InvalidCrew
from ...runtime.graph import Task, references
from ...tools.planning import Literal
from ...tools.tool import Tool
from ..asked import Asked
from .problem import Operator, Problem, Step, atom
from .proof import done

_PLACE = re.compile(r"^\{(\w+)\}$")


@dataclass(frozen=True, slots=True)
class World:
    """What there is and what holds: things with their kinds, facts and goals as literals (``at(parcel, depot)``).

    What is not said does not hold. Where no goal is given, goals are read off the request.
    """

    objects: Mapping[str, str]
    facts: Sequence[str] = ()
    goal: Sequence[str] = ()


Worlds = Callable[[Asked, RunContext], Awaitable[World]]
"""Tells the world for a request. What it looks up outside goes through the context's `step`, as everywhere."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The problem of a crew in a world, without the goals that are still to be read; `notes` say what was left out."""

    problem: Problem
    notes: tuple[str, ...] = ()
    tools: Mapping[str, Tool] = field(default_factory=dict)

    def aiming(self, goal: Sequence[Literal]) -> Problem:
        """The problem with these goals."""
        return replace(self.problem, goal=tuple(dict.fromkeys(goal)))

    def step_of(self, task: Task) -> Step | None:
        """A task as a step, where its tool says what it does and all its arguments are things; else None."""
        operator = self.problem.operator(task.tool or "")
        if operator is None or task.each is not None or any(True for _ in references(task.args)):
            return None
        args = [str(task.args.get(name, "")) for name in operator.parameters]
        return operator.step(args)

    def after(self, tasks: Iterable[Task]) -> Setting:
        """The same when these tasks have been done, in this order."""
        state = {atom(fact) for fact in self.problem.facts if fact.holds}
        for task in tasks:
            if (step := self.step_of(task)) is not None:
                state = done(state, step)
        facts = tuple(Literal(name, tuple(terms)) for name, *terms in sorted(state))
        return replace(self, problem=replace(self.problem, facts=facts))

    def without(self, tried: Collection[str]) -> Setting:
        """The same where these calls (see `call_key`) may not be made again."""
        operators = list(self.problem.operators)
        facts = list(self.problem.facts)
        for place, operator in enumerate(operators):
            calls = [
                _arguments(key, operator) for key in sorted(tried) if key.startswith(f"{operator.name}(")
            ]
            known = [args for args in calls if args is not None]
            if known:
                name = f"tried:{operator.name}"
                facts += [Literal(name, args) for args in known]
                never = Literal(name, tuple(f"{{{p}}}" for p in operator.parameters), False)
                operators[place] = replace(operator, before=(*operator.before, never))
        return replace(self, problem=replace(self.problem, operators=tuple(operators), facts=tuple(facts)))


def setting(crew: Crew, world: World) -> Setting:
    """What the crew's tools can do in a world.

    Raises:
        InvalidCrew: a fact or a tool's action cannot be read.
    """
    facts = [Literal.parse(text) for text in world.facts]
    for fact in facts:
        if any(_PLACE.match(term) for term in fact.terms):
            raise InvalidCrew(
                f"The fact {fact.name}({', '.join(fact.terms)}) has a name in braces: facts name things."
            )
    operators: list[Operator] = []
    notes: list[str] = []
    tools: dict[str, Tool] = {}
    for tool in crew.toolset.values():
        if tool.traits.action is None or not any(True for _ in crew.holders(tool)):
            continue
        operator, limits = _operator(tool, world.objects)
        unbound = [
            n for n, f in tool.args.model_fields.items() if f.is_required() and n not in operator.parameters
        ]
        if unbound:
            notes.append(
                f"{tool.name} was left out of the search: nothing says which {', '.join(unbound)} it takes."
            )
            continue
        operators.append(operator)
        facts += limits
        tools[tool.name] = tool
    return Setting(Problem(tuple(operators), dict(world.objects), tuple(facts), ()), tuple(notes), tools)


def _operator(tool: Tool, objects: Mapping[str, str]) -> tuple[Operator, list[Literal]]:
    """A tool as an operator, and facts that say which things it takes, where its types do not take all."""
    action = tool.traits.action
    assert action is not None, "only tools with an action are operators"
    before, after = action.literals()
    named: set[str] = set(action.kinds or {})
    for literal in (*before, *after):
        for term in literal.terms:
            found = _PLACE.match(term)
            if found is None and "{" in term:
                raise InvalidCrew(
                    f"{term!r} of the tool {tool.name!r} is part of a name: for planners a term is a parameter in braces, "
                    "or the name of one thing."
                )
            if found is not None:
                named.add(found[1])
    parameters = tuple(name for name in tool.args.model_fields if name in named)
    kinds = {name: kind for name, kind in (action.kinds or {}).items() if name in parameters and kind}
    more: list[Literal] = []
    limits: list[Literal] = []
    for name in parameters:
        taken = _taken(tool, name, objects)
        if any(thing not in taken and kinds.get(name) in (None, kind) for thing, kind in objects.items()):
            predicate = f"takes:{tool.name}.{name}"
            more.append(Literal(predicate, (f"{{{name}}}",)))
            limits += [Literal(predicate, (thing,)) for thing in taken]
    traits = tool.traits
    return (
        Operator(tool.name, parameters, (*before, *more), after, kinds, traits.seconds, traits.money),
        limits,
    )


def _taken(tool: Tool, name: str, objects: Iterable[str]) -> list[str]:
    """The things whose names fit the type of a parameter."""
    info = tool.args.model_fields[name]
    if info.annotation is str and not info.metadata:
        return list(objects)
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    taken: list[str] = []
    for thing in objects:
        try:
            adapter.validate_python(thing)
        except ValidationError:
            continue
        taken.append(thing)
    return taken


def _arguments(key: str, operator: Operator) -> tuple[str, ...] | None:
    """The things that a call was made with, in the order of an operator's parameters; None where they are not plain."""
    try:
        args, each = json.loads(key[len(operator.name) + 1 : -1])
    except ValueError:
        return None
    if each is not None or not isinstance(args, dict) or not set(operator.parameters) <= set(args):
        return None
    return tuple(str(args[name]) for name in operator.parameters)
