"""The proof of a plan: every step's needs are met in every order that its edges allow, or what is not met is named.

It trusts no solver and shares no code with those that order plans. Whether something holds before a step is decided
by the modal truth criterion (Chapman, Planning for conjunctive goals, 1987), which for steps without variables is exact:
a fact holds in all orders if something before brings it about, and if after whatever might end it in time something
certainly brings it about again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ...runtime.graph import ordered
from ...tools.planning import Literal
from .problem import Atom, Problem, Step, atom, negated, said


class Gap(NamedTuple):
    """A need that is not surely met: of which step (None: of the goal), and which step may end it (None: nobody gives it)."""

    step: int | None
    need: Literal
    by: int | None = None

    def sentence(self, steps: Sequence[Step]) -> str:
        """For people."""
        who = "the goal" if self.step is None else f"{steps[self.step]} (step {self.step + 1})"
        if self.by is None:
            return f"{who} needs {said(self.need)}, and nothing before it gives that"
        return f"{who} needs {said(self.need)}, which {steps[self.by]} (step {self.by + 1}) may end before"


def proved(problem: Problem, steps: Sequence[Step], needs: Sequence[Collection[int]]) -> list[str]:
    """Why a plan is none for this problem, a sentence each; empty where it is one.

    `needs` are for each step those that it waits for.

    Raises:
        InvalidGraph: the steps wait for each other.
    """
    wrong: list[str] = []
    for place, step in enumerate(steps):
        operator = problem.operator(step.name)
        if operator is None or not problem.fills(operator, step.args) or operator.step(step.args) != step:
            wrong.append(f"{step} (step {place + 1}) is nothing that can be done here")
    wrong += [gap.sentence(steps) for gap in gaps(problem.facts, steps, needs, problem.goal)]
    return wrong


def gaps(
    facts: Iterable[Literal],
    steps: Sequence[Step],
    needs: Sequence[Collection[int]],
    goal: Sequence[Literal] = (),
) -> list[Gap]:
    """Every need that is not met in each order that `needs` allows: of the steps, and of the goal after all of them.

    Raises:
        InvalidGraph: the steps wait for each other.
    """
    held = {atom(fact) for fact in facts if fact.holds}
    earlier = _earlier(needs)
    givers: dict[Literal, list[int]] = {}
    for place, step in enumerate(steps):
        for one in step.after:
            givers.setdefault(one, []).append(place)
    everything = (1 << len(steps)) - 1
    found: list[Gap] = []

    def look(place: int | None, need: Literal, before: int) -> None:
        gives = [g for g in givers.get(need, ()) if before >> g & 1]
        if (atom(need) in held) != need.holds and not gives:
            found.append(Gap(place, need))
            return
        for ends in givers.get(negated(need), ()):
            if ends == place or (place is not None and earlier[ends] >> place & 1):
                continue
            if not any(earlier[again] >> ends & 1 for again in gives):
                found.append(Gap(place, need, ends))
                return

    for place, step in enumerate(steps):
        for need in step.before:
            look(place, need, earlier[place])
    for need in goal:
        look(None, need, everything)
    return found


def after_all(facts: Iterable[Literal], steps: Iterable[Step], goal: Sequence[Literal] = ()) -> list[Gap]:
    """The same for one order, by simply doing the steps: the first that cannot be done, or the goals not reached."""
    state: set[Atom] = {atom(fact) for fact in facts if fact.holds}
    for place, step in enumerate(steps):
        unmet = [Gap(place, need) for need in step.before if (atom(need) in state) != need.holds]
        if unmet:
            return unmet
        state = done(state, step)
    return [Gap(None, need) for need in goal if (atom(need) in state) != need.holds]


def met(state: Collection[Atom], needs: Iterable[Literal]) -> bool:
    """Whether all of these hold."""
    return all((atom(need) in state) == need.holds for need in needs)


def done(state: Collection[Atom], step: Step) -> set[Atom]:
    """What holds after a step."""
    return (set(state) - {atom(one) for one in step.after if not one.holds}) | {
        atom(one) for one in step.after if one.holds
    }


def _earlier(needs: Sequence[Collection[int]]) -> list[int]:
    """For each step the set of all that surely come before it, as the bits of a number."""
    order = ordered({str(place): [str(one) for one in waits] for place, waits in enumerate(needs)})
    earlier = [0] * len(needs)
    for place in map(int, order):
        for one in needs[place]:
            earlier[place] |= earlier[one] | 1 << one
    return earlier
