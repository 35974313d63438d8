"""Examples: requests of known sort, and which of them a new one is like, by runs of letters and by meaning.

The nearest of them vote, each with its likeness (k nearest neighbours; Cover and Hart, "Nearest Neighbor Pattern
Classification", 1967). Likeness by letters is the cosine of TF-IDF weights over words, pairs of words and runs of letters, so
it needs no model and serves Chinese; likeness by meaning is that of vectors that somebody's embedding model makes.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from ...tools.text import normal

if TYPE_CHECKING:
    import numpy

Sort = Literal["chat", "ask", "write", "act", "steps"]
"""What a request wants, whatever crew it is put to; `examples.toml` says what each is."""

SORTS: tuple[Sort, ...] = get_args(Sort)
Shares = Mapping[Sort, float]
"""How the nearest examples vote: one share for each sort, 1 together."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[a-z0-9']+|[?!,:;]")
_NEAREST = 20
_HEAD = 300
_LIKE = 0.1
_LETTERS, _MEANING = 0.35, 0.65
_USELESS = 0.62
"""An embedding model that puts fewer than so many of a language's examples to their own sort does not know the language."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request, its sort, and its language: en or zh."""

    text: str
    sort: Sort
    language: str


@dataclass(frozen=True)
class Index:
    """The examples of one language by runs of letters."""

    examples: tuple[Example, ...]
    rarity: Mapping[str, float]
    posted: Mapping[str, Sequence[tuple[int, float]]]

    def shares(self, text: str, *, but: int = -1) -> Shares:
        """How the examples nearest to a text vote, without the one numbered `but`; even where none is like it at all."""
        given = _weights(_grams(text), self.rarity)
        near = [0.0] * len(self.examples)
        for gram, weight in given.items():
            for number, other in self.posted[gram]:
                near[number] += weight * other
        if but >= 0:
            near[but] = 0.0
        best = sorted(range(len(near)), key=near.__getitem__, reverse=True)[:_NEAREST]
        if near[best[0]] < _LIKE:
            return voted(())
        return voted([(self.examples[n].sort, near[n]) for n in best])


def voted(votes: Sequence[tuple[Sort, float]]) -> Shares:
    """Votes, each with its weight, as shares."""
    total = sum(weight for _, weight in votes)
    if total <= 0:
        return {sort: 1 / len(SORTS) for sort in SORTS}
    shares = dict.fromkeys(SORTS, 0.0)
    for sort, weight in votes:
        shares[sort] += weight / total
    return shares


def blended(letters: Shares, meaning: Mapping[str, float]) -> Shares:
    """Both votes as one; that of meaning counts for more."""
    return voted([(s, _LETTERS * letters[s] + _MEANING * meaning[s]) for s in SORTS])


def language_for(text: str) -> str:
    """In which of the two languages of the examples to look."""
    return "zh" if _HAN.search(text) else "en"


@lru_cache(maxsize=1)
def every() -> tuple[Example, ...]:
    """All examples; read once."""
    raw = tomllib.loads(files(__package__ or "").joinpath("examples.toml").read_text("utf-8"))
    return tuple(
        Example(text, sort, language)
        for sort in SORTS
        for language, texts in raw[sort].items()
        for text in texts
    )


@lru_cache(maxsize=2)
def index(language: str) -> Index:
    """The index of one language's examples; made once."""
    own = tuple(e for e in every() if e.language == language)
    grams = [_grams(e.text) for e in own]
    held = Counter(gram for bag in grams for gram in bag)
    rarity = {gram: math.log(1 + len(own) / n) for gram, n in held.items()}
    posted: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, bag in enumerate(grams):
        for gram, weight in _weights(bag, rarity).items():
            posted[gram].append((number, weight))
    return Index(own, rarity, posted)


def _grams(text: str) -> Counter[str]:
    low = normal(text[:_HEAD])
    if _HAN.search(low):
        run = f"^{''.join(low.split())}$"
        return Counter(run[i : i + n] for n in (1, 2, 3) for i in range(len(run) - n + 1))
    said = _LATIN.findall(low)
    run = f" {' '.join(said)} "
    found = Counter(run[i : i + n] for n in (3, 4) for i in range(len(run) - n + 1))
    edged = ["^", *said, "$"]
    found.update(f"w:{word}" for word in said)
    found.update(f"{a}_{b}" for a, b in pairwise(edged))
    return found


def _weights(grams: Counter[str], rarity: Mapping[str, float]) -> dict[str, float]:
    found = {g: (1 + math.log(n)) * rarity[g] for g, n in grams.items() if g in rarity}
    length = math.sqrt(sum(w * w for w in found.values())) or 1.0
    return {g: w / length for g, w in found.items()}


@dataclass
class Meanings:
    """Vectors of one language's examples, made by one embedding model, and how well they tell the sorts apart."""

    examples: tuple[Example, ...]
    vectors: numpy.ndarray
    useful: bool = field(init=False)

    def __post_init__(self) -> None:
        right = sum(self._nearest(self.vectors[n], but=n) == e.sort for n, e in enumerate(self.examples))
        self.useful = right >= _USELESS * len(self.examples)

    def shares(self, vector: Sequence[float], *, but: int = -1) -> Shares:
        """How the examples nearest in meaning vote."""
        import numpy

        likeness = self.vectors @ numpy.asarray(vector, dtype=self.vectors.dtype)
        if but >= 0:
            likeness[but] = -1.0
        best = numpy.argsort(-likeness)[:_NEAREST]
        return voted([(self.examples[int(n)].sort, max(0.0, float(likeness[n]))) for n in best])

    def _nearest(self, vector: Sequence[float], *, but: int) -> Sort:
        shares = self.shares(vector, but=but)
        return max(SORTS, key=lambda sort: shares[sort])
