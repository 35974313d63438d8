"""A planning problem: what can be done, with which things, from which facts, to which goal (STRIPS with negation).

A fact that is not said does not hold. A step that both brings a fact about and ends it brings it about, as in PDDL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...tools.planning import Literal

Atom = tuple[str, ...]
"""A fact as one value: its predicate, then its terms."""


def said(literal: Literal) -> str:
    """A literal as people write it: ``not at(parcel, depot)``."""
    terms = f"({', '.join(literal.terms)})" if literal.terms else ""
    return f"{'' if literal.holds else 'not '}{literal.name}{terms}"


def listed(literals: Iterable[Literal]) -> str:
    """Several literals as people write them."""
    return ", ".join(map(said, literals))


def negated(literal: Literal) -> Literal:
    """The opposite of a literal."""
    return Literal(literal.name, literal.terms, not literal.holds)


def atom(literal: Literal) -> Atom:
    """The fact that a literal speaks of, whether it says that it holds or not."""
    return (literal.name, *literal.terms)


@dataclass(frozen=True, slots=True)
class Step:
    """One operator with things in the place of its parameters. `seconds` is None where nobody knows."""

    name: str
    args: tuple[str, ...]
    before: tuple[Literal, ...]
    after: tuple[Literal, ...]
    seconds: float | None = None
    money: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.args)})"

    @property
    def lasts(self) -> float:
        """Its seconds; 1 where nobody knows, so that chains can be compared all the same."""
        return 1.0 if self.seconds is None else self.seconds


@dataclass(frozen=True, slots=True)
class Operator:
    """Something that can be done: `parameters` in order, in braces in its literals; of which `kinds`; what it takes."""

    name: str
    parameters: tuple[str, ...]
    before: tuple[Literal, ...] = ()
    after: tuple[Literal, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    money: float = 0.0

    def step(self, args: Sequence[str]) -> Step:
        """This operator done with these things, in the order of its parameters."""
        values = dict(zip((f"{{{name}}}" for name in self.parameters), args, strict=True))
        before, after = (
            tuple(Literal(one.name, tuple(values.get(t, t) for t in one.terms), one.holds) for one in part)
            for part in (self.before, self.after)
        )
        added = {one for one in after if one.holds}
        kept = (one for one in after if one.holds or negated(one) not in added)
        return Step(
            self.name,
            tuple(args),
            tuple(dict.fromkeys(before)),
            tuple(dict.fromkeys(kept)),
            self.seconds,
            self.money,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """`objects` are things and their kinds ("": none), `parents` the kind that a kind belongs to, where there is one."""

    operators: tuple[Operator, ...]
    objects: Mapping[str, str]
    facts: tuple[Literal, ...]
    goal: tuple[Literal, ...]
    parents: Mapping[str, str] = field(default_factory=dict)

    def operator(self, name: str) -> Operator | None:
        """The operator of that name."""
        return next((one for one in self.operators if one.name == name), None)

    def is_a(self, thing: str, kind: str | None) -> bool:
        """Whether a thing is of a kind, or of one that belongs to it. Every thing is of the kind None or ""."""
        own: str | None = self.objects.get(thing)
        if not kind:
            return own is not None
        while own:
            if own == kind:
                return True
            own = self.parents.get(own)
        return False

    def fills(self, operator: Operator, args: Sequence[str]) -> bool:
        """Whether these things can stand in the place of an operator's parameters."""
        return len(args) == len(operator.parameters) and all(
            self.is_a(thing, operator.kinds.get(name))
            for name, thing in zip(operator.parameters, args, strict=True)
        )
