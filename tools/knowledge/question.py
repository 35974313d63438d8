"""A question as concepts: each of its words together with the words in which a document may say the same."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ..text import normal, tokens

_HAN = re.compile(r"[\u3400-\u9fff]")
_ASKS_NUMBER = re.compile(
    r"\b(how (?:many|much|big|large|long|often|far|old|fast|high|deep|heavy|tall)|maximum|minimum|when"
    r"|which (?:year|version)|what (?:year|version|percentage))\b"
    r"|多少|几|何时|哪一年|什么时候"
)
_STRADDLING = 0.15
"""Weight of a pair of Chinese characters that no passage holds: most such pairs are no word, but the end of one
and the beginning of the next."""

_EMPTY = frozenset(
    tokens(
        "unless told otherwise instead actually really kind sort thing things way does get got "
        "using use used try want like live lives lies"
    )
)


@dataclass(frozen=True, slots=True)
class Concept:
    """Tokens that say the same thing; `weight` is how much it matters that a passage says it."""

    alternatives: frozenset[str]
    weight: float


@dataclass(frozen=True)
class Question:
    """The concepts of a question, and whether it asks for a number."""

    concepts: tuple[Concept, ...]
    asks_number: bool

    def cover(self, found: set[str]) -> float:
        """The share of the question that a bag of tokens speaks of, 0 to 1."""
        whole = sum(c.weight for c in self.concepts)
        return sum(c.weight for c in self.concepts if c.alternatives & found) / whole if whole else 0.0


@lru_cache(maxsize=1)
def _paraphrases() -> tuple[tuple[tuple[str, ...], frozenset[str]], ...]:
    rows = tomllib.loads(files(__package__ or "").joinpath("paraphrases.toml").read_text("utf-8"))["rows"]
    return tuple(
        (tuple(map(normal, row["said"])), frozenset(t for w in row["meant"] for t in tokens(w)))
        for row in rows
    )


def understand(text: str, rarity: Callable[[str], float], *, han: bool) -> Question:
    """The question, read. `rarity` weighs a token in the corpus; `han` tells whether the corpus has Chinese at all.

    Words of a script that the corpus does not have are left out: they cannot be found, and prove nothing.
    """
    plain = normal(text)
    concepts: list[Concept] = []
    taken: set[str] = set()
    unknown = rarity("")
    for said, meant in _paraphrases():
        phrase = next(
            (
                p
                for p in said
                if (p in plain if _HAN.search(p) else re.search(rf"\b{re.escape(p)}(?:s|ed|d)?\b", plain))
            ),
            None,
        )
        if phrase is None:
            continue
        own = frozenset(tokens(phrase))
        taken |= own
        said_alone = own if len(own) == 1 else frozenset()  # of "network drive", a drive alone says nothing
        known = frozenset(t for t in said_alone | meant if not _HAN.search(t) or han)
        if known:
            concepts.append(Concept(known, 0.6 * min(rarity(t) for t in known)))
    for token in dict.fromkeys(tokens(text)):
        if token not in taken and token not in _EMPTY and (han or not _HAN.search(token)):
            straddles = len(token) > 1 and _HAN.match(token) and rarity(token) >= unknown
            concepts.append(Concept(frozenset({token}), rarity(token) * (_STRADDLING if straddles else 1.0)))
    return Question(tuple(concepts), bool(_ASKS_NUMBER.search(plain)))
