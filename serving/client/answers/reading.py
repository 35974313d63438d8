"""Owns reading JSON as it is written: what of it is whitespace that means nothing, and when it is running away."""

from __future__ import annotations

MAX_WHITESPACE = 128
"""Whitespace between two parts of a JSON text that is longer than this says that the model will not stop writing it."""

_WHITE = " \t\n\r"


class JsonText:
    """A JSON text that comes in pieces."""

    def __init__(self) -> None:
        self._in_string = False
        self._escaped = False
        self._depth = 0
        self.run = 0
        self.closed = False

    @property
    def runaway(self) -> bool:
        """Whether it ends in more whitespace than anybody wants."""
        return self.run > MAX_WHITESPACE

    def means(self, char: str) -> bool:
        """Read the next character: whether it means anything, as whitespace outside of texts does not."""
        if self._in_string:
            if self._escaped:
                self._escaped = False
            elif char == "\\":
                self._escaped = True
            elif char == '"':
                self._in_string = False
            return True
        if char in _WHITE:
            self.run += 1
            return False
        self.run = 0
        if char == '"':
            self._in_string = True
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            self.closed = self._depth == 0
        return True


def runs_away(text: str) -> bool:
    """Whether a whole JSON text has whitespace in it that ran away."""
    if not any(white * 8 in text for white in _WHITE) and len(text.split()) * 4 > len(text):
        return False
    read = JsonText()
    for char in text:
        read.means(char)
        if read.runaway:
            return True
    return False
