"""Owns how many entries a list has, as far as its type tells, and how many are wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from annotated_types import MaxLen, MinLen


class Span(NamedTuple):
    """At least `low` entries, and at most `high`."""

    low: int = 0
    high: float = math.inf

    def meets(self, other: Span) -> bool:
        """Whether one number of entries is in both."""
        return self.low <= other.high and self.high >= other.low

    def wanted(self, given: Span) -> str:
        """What is wanted where so many are given: "at least 2 values"."""
        short = given.high < self.low
        number = self.low if short else int(self.high)
        return f"at {'least' if short else 'most'} {number} value{'' if number == 1 else 's'}"

    def __str__(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low} or more"


def span(rules: Iterable[Any]) -> Span:
    """What the rules of a type say of its length: those of pydantic's ``Field`` and of ``annotated_types``."""
    low, high = 0, math.inf
    for rule in rules:
        for part in getattr(rule, "metadata", None) or (rule,):
            low = max(low, getattr(part, "min_length", None) or 0)
            most = getattr(part, "max_length", None)
            high = high if most is None else min(high, most)
    return Span(low, high)


def list_of(kind: Any, entries: Span) -> Any:
    """The type of a list with so many entries of this type."""
    made: Any = list[kind]
    if entries.low:
        made = Annotated[made, MinLen(entries.low)]
    return made if entries.high == math.inf else Annotated[made, MaxLen(int(entries.high))]
