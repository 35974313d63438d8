"""Digest: a summary made of a conversation's own sentences, from the summary before it and what was said since.

What is known of the user comes first and is kept longest; then what holds codes, amounts and names, what is told and not
asked. No model is needed, and the same conversation always has the same digest.
"""

from __future__ import annotations

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
    """The digest up to the message `upto`, in at most `room` tokens; from the one up to `before`, which left this `state`."""
    kept_facts, kept_points = _kept(talk, state) if before else ((), ())
    new = talk.pieces(before + 1, upto + 1)
    room -= sum(map(estimate, _WORDS["en"][:2]))
    facts = _newest([*kept_facts, *(one for one in new if one.fact)], int(room * _FACTS))
    left = room - sum(map(_cost, facts))
    told = set(facts)
    points = [(weight * _FADING, one) for weight, one in kept_points]
    points += [(weight, one) for one in new if one not in told and (weight := _weight(one)) > 0]
    kept: list[tuple[float, Piece]] = []
    for weight, one in sorted(points, key=lambda pair: (-pair[0], -pair[1].number, pair[1].start)):
        if _cost(one) <= left:
            kept.append((weight, one))
            left -= _cost(one)
    return Digest(upto, tuple(facts), tuple(kept))


def _newest(facts: Sequence[Piece], room: int) -> list[Piece]:
    """Each said once, the newest where not all have room, in the order in which they were said."""
    last: Mapping[str, Piece] = {" ".join(one.text.lower().split()): one for one in facts}
    kept: list[Piece] = []
    for one in sorted(last.values(), key=lambda one: (-one.number, one.start)):
        if _cost(one) <= room:
            kept.append(one)
            room -= _cost(one)
    return sorted(kept, key=lambda one: (one.number, one.start))


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
