"""Owns what the trials of an evaluation come to: a figure for each scorer, what they cost, how long they took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..record import Trial
from .resampling import Interval, mean_intervals, share_interval

FEW = 20
"""With fewer cases intervals by resampling are too narrow, and it is said."""


@dataclass(frozen=True)
class CaseResult:
    """One case over its trials: the mean of each scorer, and whether most trials passed (None: nothing judged them)."""

    id: str
    trials: tuple[Trial, ...]

    def value(self, scorer: str) -> float | None:
        """The mean of a scorer over the trials that it judged."""
        return _mean([s.value for t in self.trials if (s := t.scores.get(scorer)) and s.value is not None])

    def passes(self, scorer: str | None = None) -> bool | None:
        """Whether more than half of the trials passed: one scorer, or all of them."""
        if scorer is None:
            told = [t.passed for t in self.trials if t.passed is not None]
        else:
            judged = [t.scores[scorer].passed for t in self.trials if scorer in t.scores]
            told = [passed for passed in judged if passed is not None]
        return 2 * sum(told) > len(told) if told else None

    def used(self, of: Callable[[Trial], float]) -> float:
        """What its trials used, on average."""
        return _mean([of(trial) for trial in self.trials]) or 0.0

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.trials[0].tags


@dataclass(frozen=True)
class Figure:
    """A scorer over all cases: the mean of its values and how many cases passed it, each with a 95 % interval.

    `silent` counts trials that it could not judge, `why` says why; `by` are the means that it judged by.
    """

    name: str
    cases: int
    mean: Interval | None
    passed: int = 0
    share: Interval | None = None
    silent: int = 0
    why: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spending:
    """What something took: per trial on average, half of them at most, 95 of 100 at most, and all together."""

    mean: float = 0.0
    median: float = 0.0
    most: float = 0.0
    total: float = 0.0


@dataclass(frozen=True)
class Summary:
    """An evaluation in figures. `whole` is the part of cases that passed every scorer; `tags` holds means by tag."""

    cases: tuple[CaseResult, ...]
    figures: tuple[Figure, ...]
    whole: Figure
    ended: dict[str, int]
    tokens: Spending
    money: Spending
    seconds: Spending
    tool_calls: Spending
    errors: dict[str, int] = field(default_factory=dict)
    tags: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return sum(len(case.trials) for case in self.cases)

    def mean_of(self, name: str) -> float | None:
        """The mean of a scorer, or (``passed``) the part of cases that passed all; None where nothing was judged."""
        if name == self.whole.name:
            return self.whole.share.mean if self.whole.share else None
        found = next((figure.mean for figure in self.figures if figure.name == name), None)
        return found.mean if found else None


def results_of(trials: Sequence[Trial]) -> tuple[CaseResult, ...]:
    """The trials that are over, by case, in the order in which the cases first come."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.ended is not None:
            found.setdefault(trial.case, []).append(trial)
    return tuple(CaseResult(case, tuple(sorted(own, key=lambda t: t.attempt))) for case, own in found.items())


def summarise(trials: Sequence[Trial]) -> Summary:
    """What these trials come to."""
    cases = results_of(trials)
    over = [trial for case in cases for trial in case.trials]
    names = list(dict.fromkeys(name for trial in over for name in trial.scores))
    values = {name: [v for case in cases if (v := case.value(name)) is not None] for name in names}
    means = _means({name: found for name, found in values.items() if found})
    answered = [trial.seconds for trial in over if trial.ended == "finished"]
    return Summary(
        cases=cases,
        figures=tuple(_figure(name, cases, over, means.get(name)) for name in names),
        whole=_passed(cases),
        ended=dict(Counter(str(trial.ended) for trial in over)),
        tokens=_spent([trial.tokens for trial in over]),
        money=_spent([trial.money for trial in over]),
        seconds=_spent(answered),
        tool_calls=_spent([trial.tool_calls for trial in over]),
        errors=dict(Counter(trial.error for trial in over if trial.error).most_common(5)),
        tags=_by_tag(cases, names),
    )


def _means(values: dict[str, list[float]]) -> dict[str, Interval]:
    """The interval of each mean: of all-or-nothing values as a share, which does not vanish where all are the same."""
    shares = {name: own for name, own in values.items() if set(own) <= {0.0, 1.0}}
    found = {name: share_interval(round(sum(own)), len(own)) for name, own in shares.items()}
    return found | mean_intervals({name: own for name, own in values.items() if name not in shares})


def _figure(name: str, cases: Sequence[CaseResult], over: Sequence[Trial], mean: Interval | None) -> Figure:
    told = [passed for case in cases if (passed := case.passes(name)) is not None]
    scores = [trial.scores[name] for trial in over if name in trial.scores]
    quiet = [score for score in scores if score.value is None]
    return Figure(
        name=name,
        cases=sum(case.value(name) is not None for case in cases),
        mean=mean,
        passed=sum(told),
        share=share_interval(sum(told), len(told)) if told else None,
        silent=len(quiet),
        why=next((score.why for score in quiet), ""),
        by=tuple(sorted({score.by for score in scores if score.by})),
    )


def _passed(cases: Sequence[CaseResult]) -> Figure:
    told = [passed for case in cases if (passed := case.passes()) is not None]
    share = share_interval(sum(told), len(told)) if told else None
    return Figure("passed", len(told), share, sum(told), share)


def _by_tag(cases: Sequence[CaseResult], names: Sequence[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for tag in sorted({tag for case in cases for tag in case.tags}):
        own = [case for case in cases if tag in case.tags]
        told = {name: _mean([v for case in own if (v := case.value(name)) is not None]) for name in names}
        told["passed"] = _mean([float(p) for case in own if (p := case.passes()) is not None])
        found[tag] = {"cases": len(own), **{name: v for name, v in told.items() if v is not None}}
    return found


def _spent(values: Sequence[float]) -> Spending:
    if not values:
        return Spending()
    ranked = sorted(values)

    def rank(part: float) -> float:
        return ranked[max(0, math.ceil(part * len(ranked)) - 1)]

    total = math.fsum(ranked)
    return Spending(total / len(ranked), rank(0.5), rank(0.95), total)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
