"""Owns GBNF, llama.cpp's notation for grammars: choices in it, and patterns as far as they mean the same there.

A grammar accepts whole texts, so a pattern is one for the whole reply. What Python and a grammar could read differently
(look-around, back references, flags, word boundaries, negated classes such as ``\\W``) is refused and never guessed at.
"""

from __future__ import annotations

from ....runtime.errors import InvalidRequest

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_IN_CLASS = {
    "]": "\\]",
    "[": "\\[",
    "^": "\\x5E",
    "-": "\\x2D",
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": " \\t\\n"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_MOST_REPEATS = 1000


def choice_grammar(choices: tuple[str, ...]) -> str:
    """GBNF that accepts exactly the given texts."""
    return "root ::= " + " | ".join(_literal(choice) for choice in choices)


def pattern_grammar(pattern: str) -> str:
    """GBNF that accepts nothing but full matches of a regular expression: \\d, \\w and \\s in ASCII.

    Raises:
        InvalidRequest: the pattern has a part that cannot be said in a grammar; the message names it.
    """
    text = pattern.removeprefix("^")
    if text.endswith("$") and (len(text) - len(text[:-1].rstrip("\\"))) % 2 == 1:
        text = text[:-1]
    reader = _Pattern(pattern, text)
    grammar = reader.alternatives()
    if reader.rest():
        raise reader.refused("an unmatched )")
    return f"root ::= {grammar}"


def _literal(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(char, char) for char in text) + '"'


class _Pattern:
    """Reads a pattern from left to right."""

    def __init__(self, whole: str, text: str) -> None:
        self._whole = whole
        self._text = text
        self._at = 0

    def rest(self) -> str:
        return self._text[self._at :]

    def refused(self, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"The pattern {self._whole!r} cannot be followed by llama.cpp: it has {what}; "
            "write it without, or ask for choices or a grammar."
        )

    def alternatives(self) -> str:
        found = [self._sequence()]
        while self._take("|"):
            found.append(self._sequence())
        return " | ".join(found)

    def _take(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def _next(self, what: str) -> str:
        if self._at >= len(self._text):
            raise self.refused(what)
        self._at += 1
        return self._text[self._at - 1]

    def _sequence(self) -> str:
        items: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            items.append(self._item() + self._repeats())
        return " ".join(items) or '""'

    def _item(self) -> str:
        char = self._next("no end")
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char == ".":
            return "[^\\n]"
        if char in "^$":
            raise self.refused(f"{char} in its middle")
        if char in "*+?":
            raise self.refused(f"{char} with nothing to repeat")
        return _literal(char)

    def _group(self) -> str:
        if self._take("?") and not self._take(":"):
            if not self._take("P<"):
                raise self.refused(f"(?{self.rest()[:1]}")
            while self._next("a name without >") != ">":
                pass
        inner = self.alternatives()
        if not self._take(")"):
            raise self.refused("an unmatched (")
        return f"({inner})"

    def _escape(self) -> str:
        char = self._next("a \\ at its end")
        if char in _CLASSES:
            return f"[{_CLASSES[char]}]"
        return _literal(self._escaped(char))

    def _escaped(self, char: str) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char.isalnum():
            raise self.refused(f"\\{char}")
        return char

    def _class(self) -> str:
        negated = "^" if self._take("^") else ""
        members: list[str] = []
        while not members or not self._take("]"):  # a ] that comes first stands for itself
            members.append(self._member(negated))
        return f"[{negated}{''.join(members)}]"

    def _member(self, negated: str) -> str:
        char = self._next("an unmatched [")
        if char == "\\":
            char = self._next("a \\ at its end")
            if char in _CLASSES:
                if negated:
                    raise self.refused(f"[^\\{char}]")
                return _CLASSES[char]
            char = self._escaped(char)
        if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in (
            "]",
            "",
        ):
            self._at += 1
            last = self._next("an unmatched [")
            if last == "\\":
                last = self._escaped(self._next("a \\ at its end"))
            if last < char:
                raise self.refused(f"the range {char}-{last}")
            return f"{_IN_CLASS.get(char, char)}-{_IN_CLASS.get(last, last)}"
        return _IN_CLASS.get(char, char)

    def _repeats(self) -> str:
        mark = next((m for m in "*+?" if self._take(m)), "")
        if not mark and self._take("{"):
            mark = "{" + self._count() + "}"
        if mark and self._take("+"):
            raise self.refused(f"{mark}+")
        if mark:
            self._take("?")  # a lazy repeat matches the same texts
        return mark

    def _count(self) -> str:
        inside, brace, _ = self.rest().partition("}")
        low, comma, high = inside.partition(",")
        if not brace or not low.isdecimal() or (high and not high.isdecimal()):
            raise self.refused(f"{{{inside[:10]}")
        if max(int(low), int(high or 0)) > _MOST_REPEATS:
            raise self.refused(f"more than {_MOST_REPEATS} repeats")
        self._at += len(inside) + 1
        return inside if comma else low
