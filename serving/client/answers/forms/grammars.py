"""Owns GBNF, llama.cpp's notation of grammars: whether a text is one, and the regular expression that is the same.

A grammar whose rules do not recur is a regular expression, and replies can be held against it. One that recurs is
checked for its form only: whether a reply keeps it is the engine's word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .....runtime.errors import InvalidSchema

MAX_REGEX = 50_000
"""A grammar that becomes a longer regular expression than this is not held against replies."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SPACE = re.compile(r"(?:[ \t]|#[^\n]*)*")
_SPACES = re.compile(r"(?:\s|#[^\n]*)*")
_REPEAT = re.compile(r"[*+?]|\{\s*(\d+)\s*(,?)\s*(\d*)\s*\}")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(slots=True)
class Grammar:
    """A grammar that was read: its rules, as regular expressions in which ``\\0NAME\\0`` stands for another rule."""

    rules: dict[str, str] = field(default_factory=dict)
    uses: dict[str, list[str]] = field(default_factory=dict)

    def regex(self) -> re.Pattern[str] | None:
        """The regular expression that is the same; None where rules recur, or where it would be too long."""
        made: dict[str, str | None] = {}

        def of(name: str, above: frozenset[str]) -> str | None:
            if name in above:
                return None
            if name not in made:
                text: str | None = self.rules[name]
                for used in dict.fromkeys(self.uses[name]):
                    inner = of(used, above | {name})
                    text = (
                        None if inner is None or text is None else text.replace(f"\0{used}\0", f"(?:{inner})")
                    )
                    if text is None or len(text) > MAX_REGEX:
                        text = None
                        break
                made[name] = text
            return made[name]

        try:
            whole = of("root", frozenset())
            return re.compile(whole) if whole is not None else None
        except (re.error, RecursionError, OverflowError):
            return None


def literal(text: str) -> str:
    """A text as GBNF writes it."""
    special = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(special.get(char, char) for char in text) + '"'


def parsed(text: str) -> Grammar:
    """The grammar. Raises `InvalidSchema`, which says in which line it is wrong."""
    reader = _Reader(text)
    try:
        reader.read()
    except RecursionError as error:
        raise reader.wrong("it is nested too deeply") from error
    grammar = reader.grammar
    if "root" not in grammar.rules:
        raise InvalidSchema("The grammar has no rule named root; add one: it is where replies begin.")
    for name, used in grammar.uses.items():
        for other in used:
            if other not in grammar.rules:
                raise InvalidSchema(
                    f"The grammar's rule {name} uses {other}, which it does not define; add it."
                )
    return grammar


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.grammar = Grammar()
        self.rule = ""

    def wrong(self, why: str) -> InvalidSchema:
        line = self.text.count("\n", 0, self.at) + 1
        return InvalidSchema(f"The grammar is wrong in line {line}: {why}; correct it there.")

    def skip(self, *, lines: bool) -> None:
        found = (_SPACES if lines else _SPACE).match(self.text, self.at)
        self.at = found.end() if found else self.at

    def read(self) -> None:
        self.skip(lines=True)
        while self.at < len(self.text):
            name = _NAME.match(self.text, self.at)
            if name is None:
                raise self.wrong("a rule begins with its name")
            self.rule, self.at = name.group(), name.end()
            self.skip(lines=False)
            if not self.text.startswith("::=", self.at):
                raise self.wrong(f"after the name {self.rule} there should be ::=")
            if self.rule in self.grammar.rules:
                raise self.wrong(f"{self.rule} is defined twice")
            self.at += 3
            self.grammar.uses[self.rule] = []
            self.skip(lines=True)
            self.grammar.rules[self.rule] = self.alternatives(nested=False)
            self.skip(lines=True)

    def alternatives(self, *, nested: bool) -> str:
        parts = [self.sequence(nested=nested)]
        while self.text.startswith("|", self.at):
            self.at += 1
            self.skip(lines=True)
            parts.append(self.sequence(nested=nested))
        return "|".join(parts)

    def sequence(self, *, nested: bool) -> str:
        made = ""
        while self.at < len(self.text):
            if self.text[self.at] in "|)":
                if self.text[self.at] == ")" and not nested:
                    raise self.wrong("a bracket closes that was not opened")
                break
            if self.text[self.at] in "\r\n":
                if nested or self._goes_on():
                    self.skip(lines=True)
                    continue
                break
            made += self.repeated(self.symbol())
            self.skip(lines=nested)
        return made

    def _goes_on(self) -> bool:
        found = _SPACES.match(self.text, self.at)
        return found is not None and self.text.startswith("|", found.end())

    def symbol(self) -> str:
        char = self.text[self.at]
        if char == '"':
            return f"(?:{re.escape(self.quoted())})"
        if char == "[":
            return self.char_class()
        if char == ".":
            self.at += 1
            return r"[\s\S]"
        if char == "(":
            self.at += 1
            self.skip(lines=True)
            inner = self.alternatives(nested=True)
            if not self.text.startswith(")", self.at):
                raise self.wrong("a bracket is opened and never closed")
            self.at += 1
            return f"(?:{inner})"
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self.wrong(f"{char!r} means nothing there")
        self.at = name.end()
        self.grammar.uses[self.rule].append(name.group())
        return f"\0{name.group()}\0"

    def repeated(self, symbol: str) -> str:
        found = _REPEAT.match(self.text, self.at)
        if found is None:
            return symbol
        self.at = found.end()
        low, comma, high = found.group(1), found.group(2), found.group(3)
        if low is None:
            return f"(?:{symbol}){found.group()}"
        if high and int(high) < int(low):
            raise self.wrong(f"{found.group()} counts down")
        return f"(?:{symbol}){{{low}{',' if comma else ''}{high}}}"

    def quoted(self) -> str:
        found = re.compile(r'"((?:\\.|[^"\\\n])*)"', re.S).match(self.text, self.at)
        if found is None:
            raise self.wrong("a text is opened and never closed")
        self.at = found.end()
        return _ESCAPE.sub(_unescaped, found.group(1))

    def char_class(self) -> str:
        found = re.compile(r"\[(\^?)((?:\\.|[^\]\\\n])*)\]", re.S).match(self.text, self.at)
        if found is None:
            raise self.wrong("a [ is opened and never closed")
        self.at = found.end()
        if not found.group(2):
            return r"[\s\S]" if found.group(1) else r"(?!)"
        inner = re.sub(r"\\.[0-9a-fA-F]*|[\[&~|]", _in_class, found.group(2), flags=re.S)
        try:
            re.compile(f"[{inner}]")
        except re.error as error:
            raise self.wrong(str(error)) from error
        return f"[{found.group(1)}{inner}]"


def _unescaped(match: re.Match[str]) -> str:
    digits = match.group(1) or match.group(2) or match.group(3)
    if digits:
        return chr(min(int(digits, 16), 0x10FFFF))
    return _PLAIN.get(match.group(4), match.group(4))


def _in_class(match: re.Match[str]) -> str:
    """One escape (and the digits behind it), or a character that only Python gives a meaning."""
    text = match.group()
    if not text.startswith("\\"):
        return "\\" + text
    found = _ESCAPE.match(text)
    assert found is not None, "every escape has at least one character"
    char = _unescaped(found)
    return (re.escape(char) if char != "\n" else "\\n") + text[found.end() :]
