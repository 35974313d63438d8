"""Owns the scorer of meaning: how near the answer is to what was expected, by vectors, or by words where there are none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ....tools.text import tokens
from ..score import Bench, Observed, Score

if TYPE_CHECKING:
    from ..case import Case

_ENOUGH = {"meaning": 0.75, "words": 0.5}


@dataclass(frozen=True)
class Semantic:
    """The answer means what was expected: at least `threshold` near (left out: 0.75 by vectors, 0.5 by words)."""

    needs: ClassVar[str] = "`expected` to be a text"
    threshold: float | None = None

    def fits(self, case: Case) -> bool:
        """A text is expected."""
        return isinstance(case.expected, str) and bool(case.expected.strip())

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """The likeness, from 0 to 1."""
        value, means = await bench.likeness(str(case.expected), observed.answer)
        enough = _ENOUGH[means] if self.threshold is None else self.threshold
        return Score(value=value, passed=value >= enough, by=means)


def shared_words(one: str, other: str) -> float:
    """The F1 of the words that two texts share, counted as often as both have them (SQuAD, Rajpurkar et al. 2016)."""
    a, b = Counter(tokens(one, stop=False)), Counter(tokens(other, stop=False))
    both = (a & b).total()
    return 2 * both / (a.total() + b.total()) if both else 0.0


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How near two vectors of length one are; those that point apart count as 0."""
    return min(1.0, max(0.0, sum(a * b for a, b in zip(one, other, strict=True))))
