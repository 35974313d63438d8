"""Talk: a conversation as far as it has been read, with an index of its sentences that grows with it.

The ranking is BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from ...runtime.store.record import ThreadMessage, ThreadSummary
from ...tools.knowledge.question import understand
from ...tools.text import language_of, tokens
from .counting import estimate, in_message
from .facts import states_fact
from .sentences import asks, marks, spans

_K1, _B = 1.2, 0.75
_READ = 20_000
"""Of one message only so many characters are indexed; it is kept whole."""


class Piece(NamedTuple):
    """A sentence of a message: where it stands, what it is told by, and whether it is a fact or a question."""

    number: int
    start: int
    end: int
    role: str
    text: str
    tokens: int
    bag: frozenset[str]
    marks: frozenset[str]
    fact: bool
    asks: bool


class Talk:
    """The messages of one conversation, the oldest first, and its newest summary."""

    def __init__(self) -> None:
        self.messages: list[ThreadMessage] = []
        self.summary: ThreadSummary | None = None
        self.bytes = 0
        self._sizes: list[int] = []
        self._pieces: list[Piece] = []
        self._indexed = 0
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        self._marked: defaultdict[str, list[int]] = defaultdict(list)
        self._words = 0
        self._han = False

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def last(self) -> int:
        """The number of its last message; 0 where there is none."""
        return self.messages[-1].number if self.messages else 0

    def add(self, messages: Sequence[ThreadMessage]) -> None:
        """Messages that come behind those it has."""
        self.messages += messages
        self.bytes += sum(len(one.content.encode("utf-8", "replace")) for one in messages)

    @property
    def sizes(self) -> list[int]:
        """Tokens of each message, estimated."""
        self._sizes += [in_message(one.content) for one in self.messages[len(self._sizes) :]]
        return self._sizes

    @property
    def size(self) -> int:
        """Tokens of all messages."""
        return sum(self.sizes)

    def place(self, number: int) -> int:
        """The place of the first message that is numbered so or later."""
        return bisect_left(self.messages, number, key=lambda one: one.number)

    def pieces(self, since: int, before: int) -> list[Piece]:
        """The sentences of messages numbered from `since` on and below `before`."""
        self._read()
        low = bisect_left(self._pieces, since, key=lambda one: one.number)
        return self._pieces[low : bisect_left(self._pieces, before, key=lambda one: one.number)]

    def piece(self, number: int, start: int) -> Piece | None:
        """The sentence that stands there."""
        self._read()
        at = bisect_left(self._pieces, (number, start), key=lambda one: (one.number, one.start))
        found = self._pieces[at] if at < len(self._pieces) else None
        return found if found is not None and (found.number, found.start) == (number, start) else None

    def marked(self, wanted: frozenset[str], before: int, most: int | None = None) -> list[Piece]:
        """Sentences before that message with one of these marks, the newest first of each.

        Marks that more than `most` of them have are left out.
        """
        self._read()
        found: dict[Piece, None] = {}
        for mark in sorted(wanted):
            held = [self._pieces[at] for at in reversed(self._marked.get(mark, ()))]
            held = [piece for piece in held if piece.number < before]
            if most is None or len(held) <= most:
                found |= dict.fromkeys(held)
        return list(found)

    def near(self, question: str, before: int, limit: int) -> list[tuple[float, Piece]]:
        """The sentences before that message which fit a question best, with how much of it they speak of (0 to 1)."""
        self._read()
        asked = understand(question, self._rarity, han=self._han)
        whole = sum(concept.weight for concept in asked.concepts)
        if not whole or not self._pieces:
            return []
        mean = self._words / len(self._pieces) or 1.0
        cover: dict[int, float] = defaultdict(float)
        score: dict[int, float] = defaultdict(float)
        for concept in asked.concepts:
            for at in {at for token in concept.alternatives for at in self._holders.get(token, ())}:
                length = len(self._pieces[at].bag) / mean
                cover[at] += concept.weight
                score[at] += concept.weight * (_K1 + 1) / (1 + _K1 * (1 - _B + _B * length))
        ranked = sorted(score, key=lambda at: (-score[at], -at))
        found = [(cover[at] / whole, self._pieces[at]) for at in ranked[: 4 * limit]]
        return [(share, piece) for share, piece in found if piece.number < before][:limit]

    def language(self) -> str:
        """What its users have spoken lately."""
        return language_of(" ".join(one.content[:200] for one in self.messages[-8:] if one.role == "user"))

    def _rarity(self, token: str) -> float:
        n = len(self._holders.get(token, ()))
        return math.log(1 + (len(self._pieces) - n + 0.5) / (n + 0.5))

    def _read(self) -> None:
        for message in self.messages[self._indexed :]:
            for start, end in spans(message.content[:_READ]):
                text = message.content[start:end]
                bag, marked = frozenset(tokens(text)), marks(text)
                fact = message.role == "user" and states_fact(text)
                self._han = self._han or language_of(text) == "zh"
                piece = Piece(
                    message.number,
                    start,
                    end,
                    message.role,
                    text,
                    estimate(text),
                    bag,
                    marked,
                    fact,
                    asks(text),
                )
                for token in bag:
                    self._holders[token].append(len(self._pieces))
                for mark in marked:
                    self._marked[mark].append(len(self._pieces))
                self._words += len(bag)
                self._pieces.append(piece)
        self._indexed = len(self.messages)


def from_the_end(sizes: Sequence[int], room: int) -> int:
    """How many of the last ones fit together."""
    return sum(1 for whole in accumulate(reversed(sizes)) if whole <= room)
