"""Owns the scorer of trajectories: the tool calls of a run held against those that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..case import Mode, Trajectory, WantedCall
from ..score import Bench, Called, Observed, Score
from .texts import alike

if TYPE_CHECKING:
    from ..case import Case


class Match(NamedTuple):
    """How a run's calls fit those wanted. `found` of the wanted ones are there, `ordered` of them in their order.

    `precision` is the part of the calls that was wanted, `recall` the part of the wanted ones that came, `order` the part
    of those found that came in order; each 1 where there is nothing to be wrong.
    """

    wanted: int
    called: int
    found: int
    ordered: int

    @property
    def precision(self) -> float:
        """The part of the calls that was wanted."""
        return self.found / self.called if self.called else 1.0

    @property
    def recall(self) -> float:
        """The part of the wanted calls that came."""
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def order(self) -> float:
        """The part of the found calls that came in their order."""
        return self.ordered / self.found if self.found else 1.0


@dataclass(frozen=True)
class Tools:
    """The run called the tools that the case names, as its mode says."""

    needs: ClassVar[str] = "`tools`"

    def fits(self, case: Case) -> bool:
        """It names tools."""
        return case.tools is not None

    async def score(self, case: Case, observed: Observed, bench: Bench) -> Score:
        """`judge_way` over the run's calls."""
        assert case.tools is not None, "a scorer is asked only where it fits"
        return judge_way(case.tools, observed.calls)


def judge_way(wanted: Trajectory, calls: Sequence[Called]) -> Score:
    """How well the calls fit. The value is, by mode:

    exact: the F1 of the longest common sequence, 1 only where both are the same; in_order: the part of the wanted calls
    that came in this order; any_order: the part that came at all; none: 1 or 0. It passes where it is 1.
    """
    match = compare_ways(wanted.calls, calls)
    value = _value(wanted.mode, match)
    passed = value == 1.0
    with_args = any(one.args is not None for one in wanted.calls)
    told = ", ".join(_said(call) if with_args else call.name for call in calls) or "nothing"
    figures = f"precision {match.precision:.2f}, recall {match.recall:.2f}, order {match.order:.2f}"
    return Score(value=value, passed=passed, why=figures if passed else f"{figures}; called: {told}")


def compare_ways(wanted: Sequence[WantedCall], calls: Sequence[Called]) -> Match:
    """Which wanted calls are among those made, whatever the order, and how many of them in order."""
    fits = [[_fits(one, call) for call in calls] for one in wanted]
    return Match(len(wanted), len(calls), _pairs(fits), _in_order(fits))


def _value(mode: Mode, match: Match) -> float:
    if mode == "none":
        return 0.0 if match.found else 1.0
    if mode == "exact":
        both = match.wanted + match.called
        return 2 * match.ordered / both if both else 1.0
    if mode == "in_order":
        return match.ordered / match.wanted if match.wanted else 1.0
    return match.recall


def _fits(wanted: WantedCall, call: Called) -> bool:
    if wanted.name != call.name:
        return False
    if wanted.args is None:
        return True
    given = call.args
    return isinstance(given, dict) and all(
        key in given and alike(value, given[key]) for key, value in wanted.args.items()
    )


def _said(call: Called) -> str:
    given = call.args if isinstance(call.args, dict) else {}
    return f"{call.name}({', '.join(f'{name}={value}' for name, value in given.items())})"


def _pairs(fits: list[list[bool]]) -> int:
    """The most wanted calls that can each have a call of their own (augmenting paths, Kuhn 1955)."""
    taken: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for call, fit in enumerate(fits[one]):
            if fit and call not in tried:
                tried.add(call)
                if call not in taken or place(taken[call], tried):
                    taken[call] = one
                    return True
        return False

    return sum(place(one, set()) for one in range(len(fits)))


def _in_order(fits: list[list[bool]]) -> int:
    """The most wanted calls that were made in their order: the longest common subsequence."""
    width = len(fits[0]) if fits else 0
    row = [0] * (width + 1)
    for fit in fits:
        before = row
        row = [0] * (width + 1)
        for at in range(width):
            row[at + 1] = max(row[at], before[at + 1], before[at] + fit[at])
    return row[-1]
