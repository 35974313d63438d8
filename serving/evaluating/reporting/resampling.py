"""Owns intervals by resampling: the bootstrap of means, with bias correction and acceleration.

B. Efron, "Better Bootstrap Confidence Intervals" (1987): BCa intervals. P. Hall, "Antithetic resampling for the
bootstrap" (1989): each resample goes with its mirror image over the ordered values. So the interval of values with their
signs turned is the interval turned, exactly, and the order in which values come does not matter.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 10_000
SEED = 20_260
LEVEL = 0.95
_CHUNK = 2_000_000
_NORMAL = NormalDist()


class Interval(NamedTuple):
    """A mean, and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


def mean_interval(
    values: Sequence[float], *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """The mean of values and its BCa bootstrap interval. The same values give the same interval, on any machine.

    With one value, or where all are the same, there is nothing to resample, and the interval is the mean.

    Raises:
        ValueError: there are no values.
    """
    return mean_intervals({"": values}, level=level, resamples=resamples, seed=seed)[""]


def mean_intervals(
    columns: Mapping[str, Sequence[float]],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Interval]:
    """`mean_interval` of several columns. Raises `ValueError`: one has no values."""
    import numpy as np

    found: dict[str, Interval] = {}
    for name, given in columns.items():
        if not given:
            raise ValueError(f"there are no values in {name!r}")
        values = np.sort(np.asarray(given, dtype=np.float64))
        centre = math.fsum(given) / len(given)
        if values[0] == values[-1]:
            found[name] = Interval(float(values[0]), float(values[0]), float(values[0]))
            continue
        means = _resampled(values, max(1, resamples // 2), random.Random(seed))
        found[name] = _corrected(centre, values, means, level)
    return found


def _resampled(values: NDArray[Any], pairs: int, source: random.Random) -> NDArray[Any]:
    """The means of resamples and of their mirror images, sorted. Random bits come from the standard library, whose
    numbers stay the same over its versions.
    """
    import numpy as np

    size = len(values)
    mirrored = values[::-1]
    made: list[NDArray[Any]] = []
    rows = max(1, _CHUNK // size)
    for first in range(0, pairs, rows):
        count = min(rows, pairs - first)
        bits = np.frombuffer(source.randbytes(4 * count * size), dtype="<u4").astype(np.uint64)
        places = ((bits * np.uint64(size)) >> np.uint64(32)).astype(np.intp).reshape(count, size)
        made += [values[places].mean(axis=1), mirrored[places].mean(axis=1)]
    return np.sort(np.concatenate(made))


def _corrected(centre: float, values: NDArray[Any], means: NDArray[Any], level: float) -> Interval:
    """The BCa bounds: quantiles of the means, moved for the bias of their median and for skewness."""
    import numpy as np

    apart = values - centre
    spread = float(np.abs(apart).max())
    close = 1e-12 * max(spread, float(np.abs(values).max()))
    below = float(np.count_nonzero(means < centre - close))
    same = float(np.count_nonzero(np.abs(means - centre) <= close))
    part = (below + same / 2) / len(means)
    bias = _NORMAL.inv_cdf(min(max(part, 1 / len(means)), 1 - 1 / len(means)))
    scaled = apart / spread
    acceleration = float((scaled**3).sum() / (6 * (scaled**2).sum() ** 1.5))

    def at(tail: float) -> float:
        moved = bias + _NORMAL.inv_cdf(tail)
        return _NORMAL.cdf(bias + moved / max(0.1, 1 - acceleration * moved))

    outside = (1 - level) / 2
    low, high = (float(np.quantile(means, at(tail))) for tail in (outside, 1 - outside))
    return Interval(centre, min(low, high), max(low, high))


def share_interval(passed: int, of: int, *, level: float = LEVEL) -> Interval:
    """The part that passed, and its interval (E. B. Wilson 1927), which does not vanish where all or none did.

    Raises:
        ValueError: it is a part of nothing.
    """
    if of <= 0:
        raise ValueError("a part of nothing")
    z = _NORMAL.inv_cdf((1 + level) / 2)
    part = passed / of
    middle = (part + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(part * (1 - part) / of + z * z / (4 * of * of))
    return Interval(part, max(0.0, middle - half), min(1.0, middle + half))


def sign_test(wins: int, losses: int) -> float:
    """How likely wins and losses are at least so uneven by chance: the exact two-sided sign test.

    Over cases that passed in one version only this is McNemar's test (1947) in its exact form.
    """
    tried = wins + losses
    tail = sum(math.comb(tried, n) for n in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**tried))
