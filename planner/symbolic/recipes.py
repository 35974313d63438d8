"""Recipes: known ways to do a thing, written down by an author as steps (HTN methods), tried before any search.

A recipe's `task` is a goal that it reaches, ``at({parcel}, {place})``, or any name by which the steps of other recipes
call for it, ``fetch({truck}, {place})``. `when` are facts, with further things in braces to be found among those that
exist; `steps` are tools with their things, or tasks of recipes, in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...runtime.errors import InvalidCrew
from ...tools.planning import Literal
from .problem import Operator

_PLACE = re.compile(r"^\{(\w+)\}$")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One known way. Several recipes for one task are tried in their order, each with all things that fit its `when`."""

    name: str
    task: str
    when: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def check(self, operators: Iterable[Operator], recipes: Iterable[Recipe]) -> None:
        """Hold it against what there is.

        Raises:
            InvalidCrew: a step is neither a tool nor a recipe's task, or names a thing that nothing binds.
        """
        arity = {one.name: len(one.parameters) for one in operators}
        tasks = {(read.name, len(read.terms)) for read in (Literal.parse(one.task) for one in recipes)}
        bound = {*places(Literal.parse(self.task))}
        for text in self.when:
            bound |= places(Literal.parse(text))
        for text in self.steps:
            step = Literal.parse(text)
            if arity.get(step.name) != len(step.terms) and (step.name, len(step.terms)) not in tasks:
                raise InvalidCrew(
                    f"The step {text!r} of the recipe {self.name!r} is neither a tool with {len(step.terms)} things nor "
                    f"the task of a recipe; the tools are: {', '.join(arity)}."
                )
            for place in places(step) - bound:
                raise InvalidCrew(
                    f"The step {text!r} of the recipe {self.name!r} names {place!r}, which neither its task nor its `when` "
                    "does: add a fact to `when` that says which one."
                )


def places(literal: Literal) -> set[str]:
    """The names in braces among a literal's terms."""
    return {found[1] for term in literal.terms if (found := _PLACE.match(term))}
