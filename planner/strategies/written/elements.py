"""Elements: a JSON array read while it is being written, entry by entry."""

from __future__ import annotations

import json
from typing import Any

_OPEN, _CLOSE = "{[", "}]"


class Elements:
    """Reads the array that stands under `key` in the object that a JSON text is; the text comes in pieces.

    It reads what is valid JSON so far, and is no judge of it: a text that is no JSON gives no entries, or ends early.
    """

    __slots__ = (
        "_array",
        "_begun",
        "_deep",
        "_escaped",
        "_key",
        "_keyed",
        "_last",
        "_quoted",
        "_text",
        "over",
    )

    def __init__(self, key: str = "tasks") -> None:
        self._key = key
        self._text: list[str] = []
        """What there is of the text or entry at hand."""
        self._last: object = None
        """The text that ended last outside of the array: a name of the object, where a colon follows."""
        self._keyed = False
        self._array = 0
        self._begun = False
        self._deep = 0
        self._quoted = False
        self._escaped = False
        self.over = False
        """Whether the array has ended."""

    def feed(self, piece: str) -> list[Any]:
        """The entries that are whole with this piece."""
        found: list[Any] = []
        for char in piece:
            if self.over:
                break
            if self._array:
                self._inside(char, found)
            else:
                self._before(char)
        return found

    def _inside(self, char: str, found: list[Any]) -> None:
        """One character within the array."""
        if self._quoted:
            self._text.append(char)
            self._in_text(char)
            return
        if self._deep == self._array and char in ",]":
            self._end(found)
            self.over = char == "]"
            return
        if char == '"':
            self._quoted = True
        elif char in _OPEN:
            self._deep += 1
        elif char in _CLOSE:
            self._deep -= 1
        self._begun = self._begun or not char.isspace()
        self._text.append(char)
        if char in _CLOSE and self._deep == self._array:
            self._end(found)  # an object or list is whole without waiting for what follows it

    def _end(self, found: list[Any]) -> None:
        text, self._text = "".join(self._text), []
        begun, self._begun = self._begun, False
        if not begun:
            return
        try:
            found.append(json.loads(text))
        except (ValueError, RecursionError):
            self.over = True

    def _before(self, char: str) -> None:
        """One character outside of the array: only where it begins matters."""
        if self._quoted:
            self._text.append(char)
            self._in_text(char)
            if not self._quoted and self._deep == 1:
                self._last = self._name()
            return
        if char == '"':
            self._quoted, self._text = True, ['"']
            self._keyed = False
        elif char == ":":
            self._keyed = self._deep == 1 and self._last == self._key
        elif char in _OPEN:
            self._deep += 1
            if self._keyed and char == "[":
                self._array, self._text = self._deep, []
            self._keyed = False
        elif char in _CLOSE:
            self._deep -= 1
        elif not char.isspace():
            self._keyed = False
        if char == ",":
            self._last = None

    def _in_text(self, char: str) -> None:
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = False

    def _name(self) -> object:
        text, self._text = "".join(self._text), []
        try:
            return json.loads(text)
        except ValueError:
            return None
