"""Owns a stream that is asked for again behind what its reader has already got, without repeating any of it."""

from __future__ import annotations

from .reading import JsonText


class WentAnotherWay(Exception):
    """A later attempt wrote something else where the reader had already got text."""


class Following:
    """What a reader was given over several attempts at one reply.

    Of a JSON reply only what means something is compared, and whitespace is given once something stands behind it: so
    a reader never gets whitespace that ran away, and an attempt may be more compact than the one before it.
    """

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._given: list[str] = []
        self._meant: list[str] = []
        self._place = 0
        self._held = ""
        self._read = JsonText()
        self.pieces = 0

    @property
    def text(self) -> str:
        """All that was given."""
        return "".join(self._given)

    @property
    def runaway(self) -> bool:
        """Whether this attempt writes nothing but whitespace by now."""
        return self._json and self._read.runaway

    @property
    def whole(self) -> bool:
        """Whether the object or array that the reply is has been closed."""
        return self._json and self._read.closed

    def again(self) -> None:
        """Begin the next attempt."""
        self.pieces = 0
        self._place = 0
        self._held = ""
        self._read = JsonText()

    def take(self, piece: str) -> str:
        """What of this attempt's next piece is new to the reader. Raises `WentAnotherWay`."""
        self.pieces += bool(piece)
        new = ""
        for char in piece:
            if self._json and not self._read.means(char):
                self._held += char
                continue
            if self._place < len(self._meant):
                if self._meant[self._place] != char:
                    raise WentAnotherWay
                self._held = ""
            else:
                new += self._held + char
                self._held = ""
                self._meant.append(char)
            self._place += 1
        if new:
            self._given.append(new)
        return new
