"""Chooses the sentences of a document that answer a question, to be quoted with their source."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from ..tools.knowledge.passages import sentences
from ..tools.text import normal, tokens
from ..tools.values import Passage, Passages

_ASKS_NUMBER = re.compile(r"\b(how (?:many|much|big|large|long|often|far|old|fast)|maximum|minimum|max|min|limit|when|which version|largest|smallest)\b|多少|几|最大|最小|何时")
_MIN_COVER = 0.34
_MAX_CHARS = 600


@dataclass(frozen=True, slots=True)
class Quote:
    """Sentences of one passage, and where it stands."""

    text: str
    source: str
    heading: str

    def cited(self) -> str:
        """The quotation as it is shown in an answer."""
        place = f"{self.source}, “{self.heading.split(' › ')[-1]}”" if self.heading else self.source
        return f"> {' '.join(self.text.split())}\n> — [{place}]"


def quote(found: Passages, question: str) -> Quote | None:
    """The best sentences of the best passage, or None where no passage touches enough of the question."""
    asked = set(tokens(question))
    if not asked or not found.passages:
        return None
    rarity = _rarity(asked, found.passages)
    best = max(found.passages, key=lambda p: (_cover(f"{p.heading} {p.text}", rarity) + 0.05 * (p.score / (found.passages[0].score or 1))))
    if _cover(f"{best.heading} {best.text}", rarity) < _MIN_COVER:
        return None
    return Quote(_window(best.text, rarity, bool(_ASKS_NUMBER.search(normal(question)))), best.source, best.heading)


def _rarity(asked: set[str], passages: list[Passage]) -> dict[str, float]:
    """Weight of each question word: those that few of the found passages hold tell them apart."""
    held = Counter(t for p in passages for t in set(tokens(f"{p.heading} {p.text}")) & asked)
    return {token: math.log(1 + (len(passages) + 1) / (held[token] + 0.5)) for token in asked}


def _cover(text: str, rarity: dict[str, float]) -> float:
    present = set(tokens(text))
    return sum(weight for token, weight in rarity.items() if token in present) / sum(rarity.values())


def _window(text: str, rarity: dict[str, float], wants_number: bool) -> str:
    """The best sentence with its neighbours, as many as fit."""
    parts = sentences(text)
    scores = [_cover(part, rarity) + (0.2 if wants_number and re.search(r"\d", part) else 0.0) for part in parts]
    first = last = max(range(len(parts)), key=scores.__getitem__)
    size = len(parts[first])
    while True:
        after = len(parts[last + 1]) if last + 1 < len(parts) else None
        before = len(parts[first - 1]) if first > 0 else None
        if after is not None and size + after <= _MAX_CHARS and (before is None or scores[last + 1] >= scores[first - 1] or size + before > _MAX_CHARS):
            last += 1
            size += after
        elif before is not None and size + before <= _MAX_CHARS:
            first -= 1
            size += before
        else:
            return " ".join(parts[first : last + 1])
