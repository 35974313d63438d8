"""Compaction: what a run hears of its conversation, within so many tokens.

All of it where it fits. Else a summary, then earlier sentences that the request or the last turns speak of, then the last
turns whole. What is chosen is kept with the run as places in the conversation (see `runtime.store.threads.references`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...runtime.store.record import ThreadMessage
from .counting import PER_MESSAGE, estimate, in_message
from .sentences import marks
from .talk import Piece, Talk, from_the_end

SUMMARY_SHARE = 0.25
"""Of the room for history, what the summary may take."""
RECALLED_SHARE = 0.2
"""Of the room, what earlier sentences may take that are wanted now."""
LAST_SHARE = 0.5
"""Of what is left, what the last turns take just after a summary was made, so that it serves for some turns."""
ENOUGH = 0.2
"""A sentence that speaks of less than this of the request is not about it."""

_MOST = 8
_RARE = 3
"""What more sentences than this hold is nothing that the last turns would speak of by it."""
_LINE = 5
_CLIPPED = " […] "
_WORDS = {
    "en": (
        "This is what was said earlier in this conversation, in short.\n",
        "Earlier in this conversation:\n",
        "user",
        "assistant",
        "I remember that.",
    ),
    "zh": ("以下是这次对话此前内容的摘要。\n", "此前的对话中：\n", "用户", "助手", "我记得。"),
}


@dataclass(frozen=True)
class Room:
    """How many tokens a conversation may take in the prompts of a run, and how they are divided."""

    tokens: int

    @property
    def summary(self) -> int:
        """What the summary may take."""
        return int(self.tokens * SUMMARY_SHARE)

    @property
    def recalled(self) -> int:
        """What earlier sentences may take."""
        return int(self.tokens * RECALLED_SHARE)

    @property
    def last(self) -> int:
        """What the last turns may take."""
        return max(0, self.tokens - self.summary - self.recalled - _frame())


def fits(talk: Talk, room: Room) -> bool:
    """Whether all of it can be heard."""
    return talk.size <= room.tokens


def summarised_until(talk: Talk, room: Room) -> int:
    """The number of the message up to which a summary is wanted now; 0 where the newest one serves, or none is wanted."""
    if fits(talk, room) or len(talk) < 2:
        return 0
    upto = talk.summary.upto if talk.summary is not None else 0
    if upto and sum(talk.sizes[talk.place(upto + 1) :]) <= room.last:
        return 0
    first = len(talk) - max(1, from_the_end(talk.sizes, int(room.last * LAST_SHARE)))
    while first < len(talk) - 1 and talk.messages[first].role != "user":
        first += 1  # a turn begins with what the user says
    if talk.messages[first].role != "user":
        first = max(0, first - 1)
    return talk.messages[first - 1].number if first and talk.messages[first - 1].number > upto else 0


def compact(talk: Talk, request: str, room: Room) -> list[dict[str, Any]]:
    """The history of a run, as its options keep it: at most `room.tokens`, by estimate. Made with the newest summary."""
    if not talk.messages or room.tokens <= 0:
        return []
    if fits(talk, room):
        return [{"messages": [talk.messages[0].number, talk.last]}]
    summary = talk.summary if talk.summary is not None and talk.summary.upto < talk.last else None
    first = talk.place(summary.upto + 1) if summary is not None else 0
    if sum(talk.sizes[first:]) > room.last:
        first = max(first, len(talk) - max(1, from_the_end(talk.sizes, room.last)))
    left = room.tokens - _frame()
    last = _last(talk, first, min(room.last, left) if first or summary else left)
    left -= sum(cost for cost, _ in last)
    words = _WORDS[talk.language() if talk.language() in _WORDS else "en"]
    parts: list[Any] = []
    if summary is not None and (cost := estimate(summary.content) + estimate(words[0])) <= left:
        parts += [words[0], {"summary": summary.number}]
        left -= cost
    else:
        summary = None
    told = summary.content if summary is not None else ""
    recalled = _recalled(talk, request, first, min(left, max(room.recalled, left // 2)), told)
    if recalled:
        lines = [[one.number, one.start, one.end] for one in recalled]
        parts += ["\n\n" if parts else "", words[1], {"lines": lines, "as": [words[2], words[3]]}]
    entries = [entry for _, entry in last]
    if parts:
        parts = [part for part in parts if part != ""]
        replied = [{"role": "assistant", "content": words[4]}]
        if entries and _role(talk, entries[0]) == "assistant":
            replied = []  # who speaks takes turns: some models' templates insist on it
        entries = [{"role": "user", "parts": parts}, *replied, *entries]
    return entries


def _role(talk: Talk, entry: Mapping[str, Any]) -> str:
    return str(entry["role"] if "role" in entry else talk.messages[talk.place(entry["messages"][0])].role)


def _frame() -> int:
    """What the two messages take around the summary and what is recalled."""
    longest = max(sum(map(estimate, (words[1], words[4]))) for words in _WORDS.values())
    return 2 * PER_MESSAGE + longest + 4


def _last(talk: Talk, first: int, room: int) -> list[tuple[int, dict[str, Any]]]:
    """The last messages, from the place `first` on; where they are too long, the last one is clipped and kept."""
    chosen, sizes = talk.messages[first:], talk.sizes[first:]
    if sum(sizes) <= room:
        return [(sum(sizes), {"messages": [chosen[0].number, chosen[-1].number]})]
    found: list[tuple[int, dict[str, Any]]] = []
    for message, size in zip(reversed(chosen), reversed(sizes), strict=True):
        share = room if found or size <= room else room * 2 // 3
        if size <= share:
            cost, entry = size, {"messages": [message.number, message.number]}
        elif len(found) > 1 or (clipped := _clip(message.content, share - PER_MESSAGE)) is None:
            break
        else:
            cost, entry = _clipped(message, *clipped)
        if cost > room:
            break
        room -= cost
        found.append((cost, entry))
    return found[::-1]


def _clipped(message: ThreadMessage, head: int, tail: int) -> tuple[int, dict[str, Any]]:
    """What a message costs of which only so many characters of its beginning and end are heard, and the entry for it."""
    text = message.content
    cost = in_message(text[:head]) + estimate(_CLIPPED) + estimate(text[len(text) - tail :])
    parts = [
        {"message": [message.number, 0, head]},
        _CLIPPED,
        {"message": [message.number, len(text) - tail, len(text)]},
    ]
    return cost, {"role": message.role, "parts": parts}


def _clip(text: str, room: int) -> tuple[int, int] | None:
    """How many characters of the beginning and of the end fit, about two to one; None where that is not worth it."""
    room -= estimate(_CLIPPED) + 2
    if room < 4:
        return None
    chars = min(len(text) // 2, 4 * room)
    while chars > 3 and estimate(text[: chars * 2 // 3]) + estimate(text[len(text) - chars // 3 :]) > room:
        chars = chars * 4 // 5
    return (chars * 2 // 3, chars // 3) if chars > 3 else None


def _recalled(talk: Talk, request: str, first: int, room: int, told: str) -> list[Piece]:
    """Sentences before the last turns: those with what is spoken of again by its name, then those about the request."""
    if first <= 0 or room <= 0:
        return []
    before = talk.messages[first].number if first < len(talk) else talk.last + 1
    asked = marks(request)
    lately = marks("\n".join(one.content[:2000] for one in talk.messages[first:]))
    near = talk.near(request, before, _MOST)
    best = near[0][0] if near else 0.0
    fitting = [piece for share, piece in near if share >= max(ENOUGH, 0.5 * best)]
    wanted = [
        *talk.marked(asked, before)[:_MOST],
        *_answered(talk, fitting[:4], before),
        *talk.marked(lately - asked, before, _RARE)[:_MOST],
        *_answered(talk, fitting[4:], before),
    ]
    kept: list[Piece] = []
    for piece in dict.fromkeys(wanted):
        cost = piece.tokens + _LINE
        if cost <= room and piece.text not in told:
            kept.append(piece)
            room -= cost
    return sorted(kept, key=lambda one: (one.number, one.start))


def _answered(talk: Talk, pieces: Iterable[Piece], before: int) -> Iterable[Piece]:
    """Each; behind a question what was replied to it."""
    for piece in pieces:
        yield piece
        if piece.asks and piece.role == "user":
            place = talk.place(piece.number + 1)
            if place < len(talk) and talk.messages[place].role == "assistant":
                number = talk.messages[place].number
                yield from [one for one in talk.pieces(number, number + 1)[:2] if one.number < before]
