"""Digest: a summary made of a conversation's own sentences, from the summary before it and what was said since.

What is known of the user comes first and is kept longest; then what holds codes, amounts and names, what is told and not
asked. No model is needed, and the same conversation always has the same digest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from .counting import estimate
from .talk import Piece, Talk

_FADING = 0.85
"""What was said counts so much less with each summary, so that later things have room."""
_FACTS = 0.6
"""Of the room, what facts may take."""
_LINE = 4
_WORDS = {
    "en": ("What the user said of themselves and decided:", "Also said:", "user", "assistant"),
    "zh": ("用户谈到自己和做出的决定：", "此外说过：", "用户", "助手"),
}


@dataclass(frozen=True)
class Digest:
    """The sentences that stand for a conversation up to the message `upto`: facts, and points with their weight."""

    upto: int
    facts: tuple[Piece, ...]
    points: tuple[tuple[float, Piece], ...]

    @property
    def state(self) -> JsonValue:
        """What the next digest is made of, as plain JSON."""
        return {
            "facts": [[one.number, one.start] for one in self.facts],
            "points": [[one.number, one.start, round(weight, 3)] for weight, one in self.points],
        }

    def text(self, language: str, written: str = "") -> str:
        """Its words; what a model has `written` stands in place of the points."""
        facts, also, user, assistant = _WORDS[language if language in _WORDS else "en"]
        lines = [facts, *(f"- {one.text}" for one in self.facts)] if self.facts else []
        if written:
            return "\n".join([*lines, written.strip()])
        if self.points:
            points = sorted((one for _, one in self.points), key=lambda one: (one.number, one.start))
            said = [f"- {user if one.role == 'user' else assistant}: {one.text}" for one in points]
            lines += [also, *said]
        return "\n".join(lines)


def digest(talk: Talk, upto: int, room: int, before: int = 0, state: Any = None) -> Digest:
    """The digest up to the message `upto`, in at most `room` tokens; from the one up to `before`, which left this `state`.

    What is chosen is to say as much that is new as it can: of sentences that are alike one is worth most. The greedy choice
    is that of Lin and Bilmes, "A Class of Submodular Functions for Document Summarization" (2011).
    """
    kept_facts, kept_points = _kept(talk, state) if before else ((), ())
    new = talk.pieces(before + 1, upto + 1)
    room -= sum(map(estimate, _WORDS["en"][:2]))
    told = [(1.0, one) for one in dict.fromkeys([*kept_facts, *(one for one in new if one.fact)])]
    facts = [one for _, one in _chosen(told, int(room * _FACTS))]
    points = [(weight * _FADING, one) for weight, one in kept_points]
    points += [(weight, one) for one in new if not one.fact and (weight := _weight(one)) > 0]
    chosen = _chosen(points, room - sum(map(_cost, facts)))
    return Digest(upto, tuple(sorted(facts, key=_place)), tuple(chosen))


def _chosen(among: Sequence[tuple[float, Piece]], room: int) -> list[tuple[float, Piece]]:
    """Those that together tell most, each by its weight and by what of it none of the others has told; newer ones first."""
    left = sorted(among, key=lambda pair: (-pair[1].number, pair[1].start))
    told: set[str] = set()
    chosen: list[tuple[float, Piece]] = []
    while left:
        worth, place = max((weight * _news(one, told), -at) for at, (weight, one) in enumerate(left))
        weight, one = left.pop(-place)
        if worth <= 0:
            break
        if _cost(one) <= room:
            chosen.append((weight, one))
            room -= _cost(one)
            told |= one.bag
    return chosen


def _news(piece: Piece, told: set[str]) -> float:
    new = len(piece.bag - told)
    return new / math.sqrt(len(piece.bag)) if new else 0.0


def _place(piece: Piece) -> tuple[int, int]:
    return piece.number, piece.start


def _weight(piece: Piece) -> float:
    if piece.asks or len(piece.bag) < 3:
        return 0.0
    told = min(len(piece.marks), 4) + 0.05 * min(len(piece.bag), 20)
    return told * (1.2 if piece.role == "user" else 1.0) + (1.0 if piece.fact else 0.0)


def _cost(piece: Piece) -> int:
    return piece.tokens + _LINE


def _kept(talk: Talk, state: Any) -> tuple[tuple[Piece, ...], tuple[tuple[float, Piece], ...]]:
    held: Mapping[str, Iterable[Any]] = state if isinstance(state, dict) else {}
    facts = [talk.piece(int(number), int(start)) for number, start in held.get("facts", ())]
    points = [(weight, talk.piece(int(n), int(start))) for n, start, weight in held.get("points", ())]
    return (
        tuple(one for one in facts if one is not None),
        tuple((float(weight), one) for weight, one in points if one is not None),
    )
