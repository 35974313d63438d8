"""From a chain of steps to a plan in which only those wait that must.

For every need one giver is chosen (a causal link), and whoever could end the fact is kept out from between the two (a
threat). Nothing else is ordered. Of all givers that the chain allows, the one that is done soonest is taken, and the
latest one in a second try; the plan with the shorter longest chain stays. Compare Bäckström, Computational aspects of
reordering plans (1998), and for steps that nobody needs Fink and Yang, Formalizing plan justifications (1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...tools.planning import Literal
from .problem import Step, atom, negated
from .proof import done, met


@dataclass(frozen=True, slots=True)
class Ordered:
    """Steps, and for each those that it waits for directly; what follows from others is left out."""

    steps: tuple[Step, ...]
    needs: tuple[frozenset[int], ...]

    @property
    def seconds(self) -> float:
        """All its work, one after the other (1 s for each step of which nobody knows)."""
        return sum(step.lasts for step in self.steps)

    @property
    def critical_seconds(self) -> float:
        """The longest chain of it, which is how long it takes where everything else is side by side."""
        return max(_ends(self.steps, self.needs), default=0.0)

    @property
    def money(self) -> float:
        """What all its steps cost."""
        return sum(step.money for step in self.steps)


def trimmed(facts: Sequence[Literal], steps: Sequence[Step], goal: Sequence[Literal]) -> list[Step]:
    """The steps without those that the goal is reached without: each is tried left out, with all that then fails."""
    kept = list(steps)
    before = {atom(fact) for fact in facts if fact.holds}
    place = 0
    while place < len(kept):
        rest = kept[:place]
        state = before
        for step in kept[place + 1 :]:
            if met(state, step.before):
                rest.append(step)
                state = done(state, step)
        if met(state, goal):
            kept = rest
        else:
            before = done(before, kept[place])
            place += 1
    return kept


def loosened(facts: Sequence[Literal], steps: Sequence[Step], goal: Sequence[Literal]) -> Ordered:
    """A chain that reaches the goal as the plan in which only those wait that must."""
    tried = [_linked(facts, steps, goal, soonest) for soonest in (True, False)]
    plans = [Ordered(tuple(steps), _direct(needs)) for needs in tried]
    return min(plans, key=lambda plan: (plan.critical_seconds, sum(map(len, plan.needs))))


def _linked(
    facts: Sequence[Literal], steps: Sequence[Step], goal: Sequence[Literal], soonest: bool
) -> list[set[int]]:
    held = {atom(fact) for fact in facts if fact.holds}
    needs: list[set[int]] = [set() for _ in steps]
    ends: list[float] = []
    givers: dict[Literal, list[int]] = {}
    for place, step in enumerate(steps):
        for one in step.after:
            givers.setdefault(one, []).append(place)

    def link(place: int, need: Literal) -> None:
        """Choose who gives `need` to the step at `place` (one behind the last: the goal), and keep threats away."""
        threats = [one for one in givers.get(negated(need), ()) if one != place]
        last = max((one for one in threats if one < place), default=-1)
        able = [one for one in givers.get(need, ()) if last < one < place]
        if last < 0 and (atom(need) in held) == need.holds:
            giver = None
        else:
            giver = min(able, key=lambda one: (ends[one], one)) if soonest else max(able)
        if giver is not None and place < len(steps):
            needs[place].add(giver)
        for threat in threats:
            if threat < place and giver is not None and threat != giver:
                needs[giver].add(threat)
            elif threat > place:
                needs[threat].add(place)

    for place, step in enumerate(steps):
        for need in step.before:
            link(place, need)
        ends.append(max((ends[one] for one in needs[place]), default=0.0) + step.lasts)
    for need in goal:
        link(len(steps), need)
    return needs


def _direct(needs: Iterable[set[int]]) -> tuple[frozenset[int], ...]:
    """Only the edges that do not follow from others. Edges point back in the chain."""
    waits = list(needs)
    reach: list[set[int]] = []
    direct: list[frozenset[int]] = []
    for own in waits:
        implied: set[int] = set().union(*(reach[one] for one in own))
        direct.append(frozenset(own - implied))
        reach.append(own | implied)
    return tuple(direct)


def _ends(steps: Sequence[Step], needs: Sequence[Iterable[int]]) -> list[float]:
    ends: list[float] = []
    for place, step in enumerate(steps):
        ends.append(max((ends[one] for one in needs[place]), default=0.0) + step.lasts)
    return ends
