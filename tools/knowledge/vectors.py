"""Texts as vectors: words weighed as BM25 has it, for Qdrant's sparse vectors, and who makes dense ones of meaning.

BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); k1 and b as there.
Term weights are in the stored vectors, inverse document frequencies come from Qdrant's IDF modifier.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Makes one vector of length 1 of each text; all have the same number of dimensions."""

_K1, _B = 1.2, 0.75


def dimension(token: str) -> int:
    """Qdrant's sparse dimensions are numbers; 32 bits make a collision between two words of a corpus unlikely."""
    return zlib.crc32(token.encode())


def weighed(bag: Sequence[str], mean: float) -> dict[int, float]:
    """What each token of a text weighs, by its dimension; `mean` is how many tokens a text has on average."""
    scale = _K1 * (1 - _B + _B * len(bag) / mean)
    found: dict[int, float] = {}
    for token, times in Counter(bag).items():
        found[dimension(token)] = times * (_K1 + 1) / (times + scale)
    return found


def asked(bag: Iterable[str]) -> dict[int, float]:
    """The tokens of a question, by their dimensions: each once."""
    return {dimension(token): 1.0 for token in bag}
