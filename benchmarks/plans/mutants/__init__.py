"""Valid plans with one thing broken in each: about fifty ways of breaking one.

A way takes a plan apart at random; where it finds nothing to break it gives None. Whether what came of it is broken, the
independent judge says: a mutant that is still valid is none.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from crewgraph import Crew, Task

from . import arguments, conditions, hands, limits, references, shape
from .plan import Mutant, Plan, Way

__all__ = ["WAYS", "Mutant", "Plan", "mutants"]

WAYS: dict[str, Way] = {
    way.__name__: way
    for room in (arguments, hands, references, conditions, shape, limits)
    for way in room.WAYS
}


def mutants(
    tasks: Sequence[Task], crew: Crew, chance: random.Random, number: int
) -> list[tuple[str, Mutant]]:
    """Some ways of breaking a plan, each another one, and what came of them."""
    found: list[tuple[str, Mutant]] = []
    for name in chance.sample(list(WAYS), len(WAYS)):
        made = WAYS[name](Plan(tuple(tasks), crew, chance))
        if made is not None:
            found.append((name, made))
        if len(found) == number:
            break
    return found
