"""Likeness: which texts mean nearly the same, by vectors that whoever has a model makes, and by words elsewhere."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

from ..tools.knowledge.vectors import Embed
from ..tools.text import language_of, tokens

__all__ = ["WORDS", "WORD_DIMENSIONS", "Embed", "Likeness", "by_words", "with_words"]

WORD_DIMENSIONS = 512
_NUMBER = re.compile(r"\d[\d.]*")
_NUMBERS = 0.25
"""What a number weighs beside a word: requests that differ in figures alone are alike."""
_ORDER = 0.3
"""What two words in a row weigh beside one."""
_CHARACTER = 0.3
"""What a single Chinese character weighs beside a pair of them."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A way of telling how alike two texts are. Its `name` tells its vectors from those of all others.

    Two texts whose vectors' cosine is `near` or more may serve as examples for each other; from `same` on they say the
    same thing. Both depend on who makes the vectors.
    """

    name: str
    embed: Embed
    near: float
    same: float


async def by_words(texts: Sequence[str]) -> list[list[float]]:
    """An `Embed` that needs no model: stems of words and pairs of Chinese characters, hashed, 512 numbers a text.

    It knows no meaning: texts are alike that use the same words, whatever their numbers.
    """
    return [_vector(text) for text in texts]


WORDS = Likeness("words-1", by_words, near=0.2, same=0.93)


def with_words(likeness: Likeness, *, share: float = 0.3, near: float = 0.3) -> Likeness:
    """A likeness that looks at meaning and at words, each for its `share` (of the words); at words alone in Chinese,
    which small embedding models hardly tell apart.
    """

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        meant, said = await likeness.embed(texts), await by_words(texts)
        return [_joined(text, m, s, share) for text, m, s in zip(texts, meant, said, strict=True)]

    return Likeness(f"{likeness.name}+{WORDS.name}", embed, near, likeness.same)


def _joined(text: str, meant: Sequence[float], said: Sequence[float], share: float) -> list[float]:
    words = 1.0 if language_of(text) == "zh" else share
    first, second = math.sqrt(1 - words), math.sqrt(words)
    return [*(first * part for part in meant), *(second * part for part in said)]


def _vector(text: str) -> list[float]:
    found = [0.0] * WORD_DIMENSIONS
    for feature, weight in _features(text):
        code = crc32(feature.encode())
        # A sign of its own for each feature: what two of them share by chance cancels out on the whole.
        found[code % WORD_DIMENSIONS] += weight if code & 0x80000000 else -weight
    length = math.sqrt(sum(part * part for part in found))
    if not length:  # nothing that could be compared
        return [1.0, *found[1:]]
    return [part / length for part in found]


def _features(text: str) -> Iterator[tuple[str, float]]:
    said = tokens(text) or tokens(text, stop=False)
    for word, times in Counter("0" if _NUMBER.fullmatch(word) else word for word in said).items():
        weight = _NUMBERS if word == "0" else _CHARACTER if len(word) == 1 and not word.isascii() else 1.0
        yield word, weight * math.sqrt(times)
    latin = [word for word in said if word.isascii()]
    for pair in set(pairwise(latin)):
        yield " ".join(pair), _ORDER
