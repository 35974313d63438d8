"""Wording: a request cut into what may differ between two requests of one kind, and the words around it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ...tools.tool import Option
from ..reading.known.mentions import Key, find
from ..reading.reading import Reading, Span

Kind = Literal["quoted", "code", "date", "value", "number", "name"]

_QUOTED = re.compile(r"[\"“「『]([^\"“”「」『』]+)[\"”」』]")
_CODE = re.compile(
    r"(?:https?://[^\s，。]+)|(?:[\w.+-]+@[\w-]+(?:\.[\w-]+)+)|(?:[\w~.-]*/[\w./-]*\w)"
    r"|\b[A-Za-z](?:[A-Za-z_-]*\d)[A-Za-z0-9_-]*\b|\b[A-Za-z_][\w-]*\.[A-Za-z]{2,4}\b",
    re.ASCII,
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?)(?!\d)"
    r"|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?"
)
_WORD = re.compile(r"[A-Za-z0-9_]+(?:'[A-Za-z]+)?|[\u3400-\u9fff]|[^\w\s.,:;!?，。；：！？、\"“”「」『』'’]")
_UNIT = re.compile(r"(?<=\d)[A-Za-z]+(?![A-Za-z0-9_])")
_SAYS_NOTHING = frozenset("please kindly 请".split())
_SAME = {"an": "a"}
_NO_NAMES = frozenset(
    "i monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december today tomorrow yesterday tonight everyone everybody nobody anyone someone "
    "english chinese christmas easter".split()
)
"""Words that begin large and stand for no one thing: what is done for a name cannot be done for them."""


@dataclass(frozen=True)
class Slot:
    """A place whose words may be others: a quotation, a code or address, a date, a value of a parameter, a number, a name.

    `said` are its words as they were written. A `value` has what it means for each parameter, a `number` its figure.
    """

    kind: Kind
    span: Span
    said: str
    values: Mapping[Key, str]
    number: float | int | None = None

    def like(self, other: Slot) -> bool:
        """Whether both say the same."""
        return (
            self.kind == other.kind
            and dict(self.values) == dict(other.values)
            and (self.number == other.number if self.kind == "number" else self.said == other.said)
        )


@dataclass(frozen=True)
class Wording:
    """A request's slots in order, and its `frame`: all other words in order, with the kind of each slot in its place."""

    reading: Reading
    slots: tuple[Slot, ...]
    frame: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        """The words around the slots."""
        return frozenset(word for word in self.frame if not word.startswith("<"))


def wording(request: str, options: Mapping[Key, tuple[Option, ...]]) -> Wording | None:
    """How a request is worded, beside the values that tools enumerate; None where its places cannot be told exactly."""
    text = unicodedata.normalize("NFC", request.strip())
    reading = Reading(text)
    if len(reading.text) != len(text):
        return None
    slots: list[Slot] = []
    taken: set[int] = set()
    for slot in _found(text, reading, options):
        if not any(place in taken for place in range(*slot.span)):
            slots.append(slot)
            taken.update(range(*slot.span))
    slots.sort(key=lambda slot: slot.span)
    return Wording(reading, tuple(slots), tuple(_frame(reading.lower, slots)))


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, each Chinese character by itself, without marks between sentences."""
    found: list[str] = _WORD.findall(text.lower())
    return [_SAME.get(word, word) for word in found]


def _found(text: str, reading: Reading, options: Mapping[Key, tuple[Option, ...]]) -> Iterator[Slot]:
    """What may be slots, those that count before others first."""
    for match in _QUOTED.finditer(text):
        yield Slot("quoted", match.span(), match[1], {})
    for match in _CODE.finditer(text):
        yield Slot("code", match.span(), match[0], {})
    for match in _DATE.finditer(text):
        yield Slot("date", match.span(), match[0], {})
    yield from _values(text, reading, options)
    for value, (start, end) in reading.numbers:
        yield Slot("number", (start, end), text[start:end], {}, value)
    for name, (start, _) in reading.names():
        said = text[start : start + len(name)]
        opens = start == 0 or text[:start].rstrip()[-1:] in ".!?:"
        if not (opens and " " not in name) and not _NO_NAMES & set(said.lower().split()):
            yield Slot("name", (start, start + len(name)), said, {})


def _values(text: str, reading: Reading, options: Mapping[Key, tuple[Option, ...]]) -> Iterator[Slot]:
    meant: dict[Span, dict[Key, str]] = {}
    for key, mentions in find(options, reading).items():
        for mention in mentions:
            if not mention.named:
                continue
            said = re.escape(reading.lower[slice(*mention.span)])
            # The reading tells of each value once; whoever says it twice means it twice.
            bounds = rf"\b{said}\b" if said[-1:].isascii() else said
            for span in {mention.span, *(m.span() for m in re.finditer(bounds, reading.lower))}:
                meant.setdefault(span, {})[key] = mention.value
    for match in _UNIT.finditer(text):  # "5kg" is one word to the reading
        for key, values in options.items():
            if (unit := next((o.value for o in values if match[0] in (o.value, *o.names)), None)) is not None:
                meant.setdefault(match.span(), {})[key] = unit
    for start, end in sorted(meant, key=lambda span: (span[0] - span[1], span)):
        yield Slot("value", (start, end), text[start:end], meant[start, end])


def _frame(lower: str, slots: Iterable[Slot]) -> Iterator[str]:
    reached = 0
    for slot in [*slots, None]:
        between = lower[reached : slot.span[0]] if slot is not None else lower[reached:]
        yield from (word for word in words_in(between) if word not in _SAYS_NOTHING)
        if slot is not None:
            yield f"<{slot.kind}>"
            reached = slot.span[1]
