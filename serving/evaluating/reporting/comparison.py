"""Owns two evaluations of the same cases, compared case by case: what is better, what is worse, what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ....runtime.errors import InvalidInput
from ..record import Record, Trial
from .resampling import Interval, mean_intervals, sign_test
from .summary import CaseResult, results_of

Verdict = Literal["better", "worse", "more", "less", "no difference shown"]

_SURE = 6
"""With fewer cases that differ not even all of them going one way shows anything (sign test: 5 of 5 is p = 0.06)."""

_USED: Mapping[str, Callable[[Trial], float]] = {
    "seconds": lambda trial: trial.seconds,
    "tokens": lambda trial: trial.tokens,
    "tool calls": lambda trial: trial.tool_calls,
    "money": lambda trial: trial.money,
}


@dataclass(frozen=True)
class Flips:
    """Cases that passed in one version only, and how likely so uneven a split is by chance (McNemar's exact test)."""

    both: int
    neither: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p: float


@dataclass(frozen=True)
class Change:
    """One figure in both versions over the same cases. `difference` is new less old, its interval by the bootstrap of
    the cases' differences; `wins` and `losses` count cases where the new one has more and less, `p` is the sign test's.
    """

    name: str
    pairs: int
    old: float
    new: float
    difference: Interval
    wins: int
    losses: int
    p: float
    verdict: Verdict
    flips: Flips | None = None
    note: str = ""

    @property
    def ties(self) -> int:
        """Cases in which both are the same."""
        return self.pairs - self.wins - self.losses


@dataclass(frozen=True)
class Comparison:
    """A `new` version held against an `old` one. `scores` are scorers' figures, `used` what they took.

    `alone_old` and `alone_new` are cases that only one of them has done (or has with another content): left out.
    """

    old: str
    new: str
    pairs: int
    scores: tuple[Change, ...]
    used: tuple[Change, ...]
    alone_old: tuple[str, ...] = ()
    alone_new: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def compare(old: Record, new: Record, *, old_name: str = "", new_name: str = "") -> Comparison:
    """How `new` differs from `old`, over the cases that both have done.

    Raises:
        InvalidInput: they have no case in common.
    """
    a = {case.id: case for case in results_of(list(old.trials.values()))}
    b = {case.id: case for case in results_of(list(new.trials.values()))}
    same = [id for id in b if id in a and old.heading.cases.get(id) == new.heading.cases.get(id)]
    if not same:
        raise InvalidInput(
            f"{new.path.name} and {old.path.name} have no case in common: compare evaluations of the same dataset."
        )
    pairs = [(a[id], b[id]) for id in same]
    names = [name for name in _names(a.values()) if name in _names(b.values())]
    columns: dict[str, list[tuple[str, float, float]]] = {"passed": _passes(pairs)}
    for name in names:
        values = ((x.id, x.value(name), y.value(name)) for x, y in pairs)
        columns[name] = [(id, p, q) for id, p, q in values if p is not None and q is not None]
    for name, of in _USED.items():
        both = [(x.id, x.used(of), y.used(of)) for x, y in pairs if _answered(x, y) or name != "seconds"]
        columns[name] = both if any(p or q for _, p, q in both) else []
    columns = {name: told for name, told in columns.items() if told}
    intervals = mean_intervals({name: [q - p for _, p, q in told] for name, told in columns.items()})
    made = {name: _change(name, told, intervals[name], pairs) for name, told in columns.items()}
    return Comparison(
        old=old_name or _name(old),
        new=new_name or _name(new),
        pairs=len(pairs),
        scores=tuple(made[name] for name in ("passed", *names) if name in made),
        used=tuple(made[name] for name in _USED if name in made),
        alone_old=tuple(id for id in a if id not in same),
        alone_new=tuple(id for id in b if id not in same),
        remarks=(*_remarks(old, new), *_of_time(made.get("seconds"))),
    )


def _change(
    name: str,
    told: Sequence[tuple[str, float, float]],
    difference: Interval,
    pairs: Sequence[tuple[CaseResult, CaseResult]],
) -> Change:
    close = 1e-9
    wins = sum(q - p > close for _, p, q in told)
    losses = sum(p - q > close for _, p, q in told)
    used = name in _USED
    flips = None if used else _flips(pairs, None if name == "passed" else name)
    note = "" if name in _USED or name == "passed" else _other_means(name, pairs)
    shown = wins + losses >= _SURE and not difference.low <= 0 <= difference.high and not note
    words: tuple[Verdict, Verdict] = ("more", "less") if used else ("better", "worse")
    return Change(
        name=name,
        pairs=len(told),
        old=math.fsum(p for _, p, _ in told) / len(told),
        new=math.fsum(q for _, _, q in told) / len(told),
        difference=difference,
        wins=wins,
        losses=losses,
        p=sign_test(wins, losses),
        verdict=(words[0] if difference.mean > 0 else words[1]) if shown else "no difference shown",
        flips=flips,
        note=note,
    )


def _flips(pairs: Sequence[tuple[CaseResult, CaseResult]], scorer: str | None) -> Flips | None:
    told = [(x.id, x.passes(scorer), y.passes(scorer)) for x, y in pairs]
    known = [(id, before, after) for id, before, after in told if before is not None and after is not None]
    if not known:
        return None
    gained = tuple(id for id, before, after in known if after and not before)
    lost = tuple(id for id, before, after in known if before and not after)
    both = sum(before and after for _, before, after in known)
    neither = len(known) - both - len(gained) - len(lost)
    return Flips(both, neither, gained, lost, sign_test(len(gained), len(lost)))


def _passes(pairs: Sequence[tuple[CaseResult, CaseResult]]) -> list[tuple[str, float, float]]:
    told = ((x.id, x.passes(), y.passes()) for x, y in pairs)
    return [(id, float(p), float(q)) for id, p, q in told if p is not None and q is not None]


def _answered(*cases: CaseResult) -> bool:
    return all(trial.ended == "finished" for case in cases for trial in case.trials)


def _names(cases: Iterable[CaseResult]) -> list[str]:
    return list(dict.fromkeys(name for case in cases for trial in case.trials for name in trial.scores))


def _other_means(name: str, pairs: Sequence[tuple[CaseResult, CaseResult]]) -> str:
    """What is to be said where a scorer judged the two versions by different means, or with other options."""
    old, new = (
        sorted({t.scores[name].by for case in side for t in case.trials if name in t.scores} - {""})
        for side in zip(*pairs, strict=True)
    )
    if old == new:
        first = ((x.trials[0].scores.get(name), y.trials[0].scores.get(name)) for x, y in pairs)
        same = all(p is None or q is None or p.of == q.of for p, q in first)
        return "" if same else "scored with other options now: it does not compare"
    return f"judged by {', '.join(old) or 'nothing'} before and by {', '.join(new) or 'nothing'} now: it does not compare"


def _remarks(old: Record, new: Record) -> list[str]:
    said: list[str] = []
    a, b = old.heading, new.heading
    if a.dataset_hash != b.dataset_hash:
        said.append("The datasets differ: only cases that are the same in both are compared.")
    if a.model != b.model:
        said.append(f"The models differ: {a.model or 'the default'} before, {b.model or 'the default'} now.")
    if a.planner != b.planner:
        said.append(f"The planners differ: {a.planner} before, {b.planner} now.")
    if a.key == b.key:
        said.append("Both are evaluations of the same crew, dataset, planner and model.")
    return said


def _of_time(seconds: Change | None) -> list[str]:
    if seconds is None or seconds.verdict == "no difference shown":
        return []
    return [
        "Seconds are also those of the machine and of an engine that has to warm up: measure both again, with --fresh, "
        "before a difference in them is believed."
    ]


def _name(record: Record) -> str:
    return f"{record.heading.crew} ({record.path.name})"
