"""Owns the scorer that asks a model whether an answer meets a criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..score import Bench, Observed, Score

if TYPE_CHECKING:
    from ..case import Case


@dataclass(frozen=True)
class Judge:
    """A model says whether the answer meets `criterion` (left out: the case's `judge`)."""

    needs: ClassVar[str] = "`judge`, a criterion"
    criterion: str | None = None

    def fits(self, case: Case) -> bool:
        """There is a criterion."""
        return bool(self.criterion or case.judge)

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """1, 0, or 0.5 where the model contradicts itself."""
        return await bench.verdict(self.criterion or case.judge or "", observed, case.expected)
