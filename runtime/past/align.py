"""Aligning: which steps of two runs are the same step, or the same step with other inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from .account import StepAccount, canonical

_ALL_WITH_ALL = 16
_NEAR = 5
"""In a row longer than `_ALL_WITH_ALL` each step is weighed only against those this near to its own place."""


class Pair(NamedTuple):
    """A step of one run and the one of the other run that stands for it; one of the two may be missing."""

    a: StepAccount | None
    b: StepAccount | None

    @property
    def some(self) -> StepAccount:
        """The one, or else the other."""
        found = self.a if self.a is not None else self.b
        assert found is not None
        return found

    @property
    def place(self) -> int:
        """Where the pair stands among the steps of its task: the earlier of the two places."""
        return min(step.place for step in self if step is not None)


def align(a: Sequence[StepAccount], b: Sequence[StepAccount]) -> list[Pair]:
    """Pairs of the steps of one task in two runs, in order. Taken the other way round it pairs the same.

    The same key is the same step with the same inputs. Of what is left, steps of one name belong together whose
    inputs are most alike; among equally alike ones those that stand nearest.
    """
    keys = {step.key: step for step in b}
    pairs = [Pair(step, keys[step.key]) for step in a if step.key in keys]
    paired = {step.some.key for step in pairs}
    left: dict[str, tuple[list[StepAccount], list[StepAccount]]] = defaultdict(lambda: ([], []))
    for side, steps in enumerate((a, b)):
        for step in steps:
            if step.key not in paired:
                left[step.name][side].append(step)
    for ours, theirs in left.values():
        pairs += _most_alike(ours, theirs)
    pairs.sort(
        key=lambda pair: (pair.place, pair.some.name, sorted(step.key for step in pair if step is not None))
    )
    return pairs


def likeness(a: JsonValue, b: JsonValue) -> float:
    """How much two JSON values have in common: 1 is everything, 0 nothing. The same both ways round."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = a.keys() | b.keys()
        return sum(likeness(a[n], b[n]) for n in names if n in a and n in b) / len(names) if names else 1.0
    if isinstance(a, list) and isinstance(b, list):
        longer = max(len(a), len(b))
        return sum(map(likeness, a, b)) / longer if longer else 1.0
    if isinstance(a, str) and isinstance(b, str):
        return _alike_texts(a, b)
    return float(type(a) is type(b) and a == b)


def _alike_texts(a: str, b: str) -> float:
    if a == b:
        return 1.0
    shorter, longer = sorted((len(a), len(b)))
    head = _common(a, b, shorter)
    tail = _common(a[::-1], b[::-1], shorter - head)
    return (head + tail) / longer


def _common(a: str, b: str, most: int) -> int:
    """How many characters, `most` of them at most, two texts begin with alike."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _most_alike(a: list[StepAccount], b: list[StepAccount]) -> list[Pair]:
    longer = max(len(a), len(b))
    width = longer if longer <= _ALL_WITH_ALL else _NEAR
    known: dict[tuple[int, int], float] = {}
    texts = [[canonical(step.inputs) for step in steps] for steps in (a, b)]
    for i, ours in enumerate(a):
        for j in range(max(0, i - width), min(len(b), i + width + 1)):
            same = texts[0][i] == texts[1][j]
            known[i, j] = 1.0 if same else likeness(ours.inputs, b[j].inputs)
    free_a, free_b = dict(enumerate(a)), dict(enumerate(b))
    pairs: list[Pair] = []
    for i, j in sorted(known, key=lambda at: (-known[at], abs(at[0] - at[1]), at[0] + at[1])):
        if i in free_a and j in free_b:
            pairs.append(Pair(free_a.pop(i), free_b.pop(j)))
    # What stood too far from its like is taken in order.
    pairs += [Pair(ours, theirs) for ours, theirs in zip(free_a.values(), free_b.values(), strict=False)]
    both = min(len(free_a), len(free_b))
    pairs += [Pair(ours, None) for ours in list(free_a.values())[both:]]
    pairs += [Pair(None, theirs) for theirs in list(free_b.values())[both:]]
    return pairs
