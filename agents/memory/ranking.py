"""Ranking: which of the memories that were found are told, and in which order: by relevance, recency, confidence.

After Park et al., "Generative Agents: Interactive Simulacra of Human Behavior" (2023), who add up relevance, recency and
importance; here relevance decides, and the others only tell apart what is as relevant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from ...tools.text import STOPWORDS, language_of, tokens
from .entry import Entry

NEAR = 0.37
"""Cosine from which a memory has to do with what is asked."""
COVER = 0.3
"""Share of the words of a question from which a memory that has them has to do with it."""
_RECENT = 30 * 86400.0
_SINGLE, _STRADDLING = 0.4, 0.1
"""What a Chinese character weighs beside a pair of them, and a pair that holds a character which says nothing."""


class Hit(NamedTuple):
    """A memory that was found, by which score."""

    entry: Entry
    score: float


class Recalled(BaseModel):
    """A memory that was found, and how well it fits what was asked, 0 to 1."""

    model_config = ConfigDict(frozen=True)

    entry: Entry
    score: float


def ranked(
    query: str,
    by_words: Iterable[Hit],
    by_meaning: Iterable[Hit],
    *,
    now: float,
    at_least: float = 0.0,
) -> list[Recalled]:
    """What was found by words and by meaning as one list, best first, without what no longer holds."""
    asked = list(dict.fromkeys(tokens(query)))
    words = {hit.entry.id: hit for hit in by_words}
    meaning = {hit.entry.id: hit for hit in by_meaning}
    best = max((hit.score for hit in words.values()), default=0.0) or 1.0
    found: list[Recalled] = []
    for id_ in {**words, **meaning}:
        entry = (words.get(id_) or meaning[id_]).entry
        if not entry.current(now):
            continue
        shared = cover(asked, tokens(entry.words))
        near = meaning[id_].score if id_ in meaning and _told_by_meaning(query, entry) else 0.0
        if shared < COVER and near < NEAR:
            continue
        said = 0.5 * shared + 0.5 * (words[id_].score / best if id_ in words else 0.0)
        relevance = 0.6 * min(1.0, near / 0.8) + 0.4 * said if near > 0 else said
        score = relevance * (0.8 + 0.1 * _recency(entry, now) + 0.1 * entry.confidence)
        if score >= at_least:
            found.append(Recalled(entry=entry, score=round(min(1.0, score), 4)))
    return sorted(found, key=lambda one: (-one.score, -one.entry.at, one.entry.id))


def cover(asked: Sequence[str], found: Sequence[str]) -> float:
    """The share of the words of a question that a text has, 0 to 1."""
    whole = sum(map(_weight, asked))
    there = frozenset(found)
    return sum(_weight(token) for token in asked if token in there) / whole if whole else 0.0


def _told_by_meaning(query: str, entry: Entry) -> bool:
    """Small models hardly tell Chinese texts apart, so words alone tell there."""
    return "zh" not in (language_of(query), language_of(entry.text))


def _weight(token: str) -> float:
    if token.isascii():
        return 1.0
    if len(token) == 1:
        return _SINGLE
    return _STRADDLING if any(c in STOPWORDS for c in token) else 1.0


def _recency(entry: Entry, now: float) -> float:
    return math.pow(0.5, max(0.0, now - entry.at) / _RECENT)
