"""Phrases: the pieces of a request that can be a value, each with where it stands, what leads to it, and its neighbours.

Quoted texts, names, numbers, days and times, lists in brackets, codes and addresses, and what is left: runs of words
between words of grammar.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from ....tools.text import STOPWORDS, tokens
from ..lexicon import Lexicon
from ..reading import Reading, Span, Word
from .dates import Clock, Day, clocks, days

LONGEST = 4_000
"""Characters of a request that are read for free values: what is longer is a text, and no errand."""

Sort = Literal["quoted", "name", "place", "number", "date", "time", "code", "formula", "list", "words"]

_QUOTED = re.compile(
    r"[\"“「『《]([^\"”」』》]+)[\"”」』》]|(?<![A-Za-z0-9])['‘`]([^'’`]+(?:['’](?:s|t|re|m|ll|ve|d)\b[^'’`]*)*)['’`](?![A-Za-z0-9])"
)
_LISTED = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]")
_CODE = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # an address
    r"|https?://[^\s'\"<>]+[^\s'\"<>.,;:!?)]"
    r"|(?:[A-Za-z]:)?[/\\][\w.\-/\\]*\w"
    r"|\b[\w-]+\.(?:com|org|net|io|edu|gov|cn|[a-z]{3,4}\d?)\b(?!\s*\()"
    r"|\+?\d[\d-]{6,}\d"
    r"|(?<![\w.])[#@][A-Za-z]\w+"
    r"|\b(?=[A-Za-z0-9:/_-]*\d)(?=[A-Za-z0-9:/_-]*[A-Za-z])[A-Za-z0-9]+(?:[:/_-][A-Za-z0-9]+)*\b"
)
_MEASURE = re.compile(
    r"\d+(?:\.\d+)?(?:(?!x\d)[a-zA-Z°µ]{1,4}(?:[/^]?[a-zA-Z0-9²]{1,3})*|-(?:[a-z]+)(?:-[a-z]+)*)$"
)
_FORMULA = re.compile(
    r"(?<![\w.])(?:[-(]?\s*)?(?:\d+(?:\.\d+)?\s*\*?\s*)?[a-z](?:\s*(?:\^|\*\*)\s*\d+)?(?:\s*[-+*/^=]\s*(?:\d+(?:\.\d+)?\s*\*?\s*)?(?:[a-z](?:\s*(?:\^|\*\*)\s*\d+)?|\d+(?:\.\d+)?))+(?!\w)"
    r"|(?<![\w.])\d+(?:\.\d+)?\s*\*?\s*[a-z](?:\^|\*\*)\d+(?!\w)"
)
_NO_FORMULA = re.compile(r"\s*(?:[a-z]\s*=\s*-?\d+(?:\.\d+)?|[\d.\s]*[a-z]{1,2}/[a-z](?:\^\d)?)\s*$")
"""One letter and its value, or a unit: "x = 1", "10 m/s^2"."""
_NAME = re.compile(
    r"(?:[A-Z][\w'’&.-]*[\w]|[A-Z])(?:\s+(?:(?:of|de|la|van|von|du|del)\s+(?:the\s+)?)?(?:[A-Z][\w'’&-]*|\d+(?=\s+[A-Z])))*"
)
_JOINT = re.compile(
    r"^\s*(?:,\s*(?:and|or)\s|,|，|、|\band\b|\bor\b|&|和|与|及|或|以及)\s*(?:the\s+|an?\s+|then\s+)?$",
    re.IGNORECASE,
)
_COMMA = re.compile(r"^,\s*$")
_ENDS = re.compile(r"(?<=[.?!])(?:['\"”’)]*)\s+|[。？！；;\n]+|(?<=[?!])|(?<=[a-z'\"\d]{2}\.)(?=[A-Z][a-z])")
_SHORT = re.compile(
    r"(?:\b(?:[A-Za-z]|[A-Z]\.[A-Z]|vs|mr|mrs|ms|dr|st|no|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|inc|ltd|etc|approx|e\.g|i\.e|a\.m|p\.m))\.$",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of a request that can be a value. `lead` is the word of grammar before it; `group` is the number of the
    row of neighbours ("a, b and c") that it stands in, -1 where it stands alone. `mark` is % or a currency sign,
    "word" where a number is no figures, "place" where it is a place in an order."""

    value: Any
    span: Span
    sort: Sort
    lead: str = ""
    group: int = -1
    mark: str = ""

    @property
    def text(self) -> bool:
        """Whether its value is a text."""
        return isinstance(self.value, str)


def phrases(reading: Reading, openers: frozenset[str] = frozenset()) -> tuple[Phrase, ...]:
    """The phrases of a request in order. Words in `openers` begin sentences of asking, and no names."""
    taken: list[Span] = []
    found: list[Phrase] = []

    def take(some: Iterable[Phrase]) -> None:
        for phrase in some:
            if phrase.value != "" and not any(s < phrase.span[1] and phrase.span[0] < e for s, e in taken):
                found.append(phrase)
                taken.append(phrase.span)

    text = reading.text
    take(_quoted(text))
    take(_listed(text))
    take(Phrase(d, d.span, "date") for d in days(text))
    take(Phrase(c, c.span, "time") for c in clocks(text))
    take(
        Phrase(m[0].strip(), m.span(), "formula")
        for m in _FORMULA.finditer(text)
        if re.search(r"\d", m[0]) and not _NO_FORMULA.match(m[0])
    )
    take(Phrase(m[0], m.span(), "code") for m in _CODE.finditer(text) if not _MEASURE.match(m[0]))
    take(_numbers(reading))
    take(_names(reading, openers))
    take(_runs(reading, taken, openers))
    ordered = sorted(found, key=lambda p: p.span)
    return tuple(_grouped([replace(p, lead=lead_of(reading, p.span[0])) for p in ordered], text))


def sentences(text: str) -> list[Span]:
    """Where the sentences of a text stand."""
    spans: list[Span] = []
    start = 0
    for match in _ENDS.finditer(text):
        if _SHORT.search(text[start : match.start()]) and not text[match.end() :][:1].isupper():
            continue
        if re.search(r"\b(?:[A-Z]|v|vs|[MD]rs?|Ms|St)\.$", text[start : match.start()]):
            continue
        if match.end() > start and text[start : match.start()].strip():
            spans.append((start, match.start()))
            start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans


def places(found: Sequence[Phrase], text: str) -> list[Phrase]:
    """Names that stand as "town, land": each pair as one phrase. In a longer row only a few letters, all large, are a land."""
    rows = Counter(phrase.group for phrase in found)
    return [
        replace(a, value=text[a.span[0] : b.span[1]], span=(a.span[0], b.span[1]), sort="place", group=-1)
        for a, b in pairwise(found)
        if a.sort == b.sort == "name"
        and _COMMA.match(text[a.span[1] : b.span[0]])
        and (rows[a.group] == 2 or re.fullmatch(r"[A-Z.]{2,4}", b.value))
    ]


def wider(found: Sequence[Phrase], text: str, about: frozenset[str]) -> list[Phrase]:
    """Names with the words that they stand beside ("Amazon rainforest"), and runs of words without a tool's own."""
    made: list[Phrase] = []
    for a, b in pairwise(found):
        if {a.sort, b.sort} == {"name", "words"} and text[a.span[1] : b.span[0]] == " ":
            said = a if a.sort == "words" else b
            if not set(tokens(str(said.value))) & about and " " not in str(said.value):
                made.append(
                    replace(
                        a,
                        value=text[a.span[0] : b.span[1]],
                        span=(a.span[0], b.span[1]),
                        sort="name",
                        group=-1,
                    )
                )
    for phrase in found:
        if phrase.sort == "words" and " " in str(phrase.value) and phrase.value.isascii():
            parts = [m.span() for m in re.finditer(r"\S+", phrase.value)]
            kept = [p for p in parts if not set(tokens(phrase.value[slice(*p)])) & about]
            if kept and len(kept) < len(parts):
                start, end = phrase.span[0] + kept[0][0], phrase.span[0] + kept[-1][1]
                made.append(replace(phrase, value=text[start:end], span=(start, end), group=-1))
    return made


def _quoted(text: str) -> Iterator[Phrase]:
    outer = re.match(r"\s*[\"“].*[\"”]\s*$", text, re.DOTALL)
    start, end = (
        (outer.start() + 1, len(text.rstrip()) - 1) if outer and text.count('"') % 2 == 0 else (0, len(text))
    )
    for match in _QUOTED.finditer(text, start, end):
        said = match[1] if match[1] is not None else match[2]
        if said.count(" ") > 60:
            continue
        yield Phrase(said.strip().rstrip(",."), match.span(), "quoted")


def _listed(text: str) -> Iterator[Phrase]:
    for match in _LISTED.finditer(text):
        try:
            value = ast.literal_eval(match[0])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = [part.strip() for part in match[0][1:-1].split(",")]
        yield Phrase(value, match.span(), "list")


def _numbers(reading: Reading) -> Iterator[Phrase]:
    text = reading.text
    for value, (start, end) in reading.numbers:
        mark = ""
        if match := re.match(r"\s*(?:%|percent\b|per cent\b)", text[end:]):
            mark, end = "%", end + match.end()
        elif start and text[start - 1] in "$€£¥￥":
            mark, start = text[start - 1], start - 1
            if text[:start].endswith("-"):
                value, start = -value, start - 1
        elif match := re.match(r"(?:st|nd|rd|th)\b", text[end:]):
            end, mark = end + match.end(), "place"
        if not mark and not text[start].isdigit() and text[start] != "-":
            mark = "word"
        yield Phrase(value, (start, end), "number", mark=mark)


def _names(reading: Reading, openers: frozenset[str]) -> Iterator[Phrase]:
    text = reading.text
    begins = {
        start + len(text[start:end]) - len(text[start:end].lstrip(" \"'“‘("))
        for start, end in sentences(text)
    }
    for match in _NAME.finditer(text):
        start, end = match.span()
        said = match[0]
        if start and (text[start - 1].isalnum() or text[start - 1] in "_'’"):
            continue
        while said:
            first = said.split()[0]
            low = first.lower().split("'")[0].split("’")[0]
            grammar = (low in STOPWORDS or low in _SMALL) and not (first.isupper() and len(first) > 1)
            if start in begins:
                grammar = grammar or low in openers or low in reading.words_of.grammar
            if not grammar:
                break
            rest = said[len(first) :].lstrip()
            start, said = end - len(rest), rest
        said = re.sub(r"['’]s$", "", said).rstrip(".'’-&")
        if said and not (len(said) == 1 and said in "IA"):
            yield Phrase(said, (start, start + len(said)), "name")


_SMALL = frozenset(
    "the a an i i'm i'd i've my if also then first second third secondly thirdly finally lastly next after before while"
    " since given and or but for with of in on at to from by is are was were".split()
)


def _runs(reading: Reading, taken: Sequence[Span], openers: frozenset[str]) -> Iterator[Phrase]:
    """Runs of words that are neither grammar nor part of another phrase."""
    grammar = (
        STOPWORDS
        | reading.words_of.grammar
        | _SMALL
        | set(reading.words_of.after)
        | set(reading.words_of.also)
    )
    units = frozenset().union(*(q.units for q in reading.words_of.units.values()))
    run: list[Word] = []
    text = reading.text

    def flush() -> Iterator[Phrase]:
        while run and run[0].text.lower() in openers:
            del run[0]
        if run and re.search(r"\d\s?$", text[: run[0].start]) and run[0].text.lower() in units:
            del run[0]
        while len(run) > 1 and re.fullmatch(r"[a-z]+(?:ing|ed)|[a-z]+ly", run[-1].text):
            del run[-1]
        if run:
            span = (run[0].start, run[-1].end)
            yield Phrase(re.sub(r"['’]s$", "", text[slice(*span)]), span, "words")
            run.clear()

    for word in reading.words:
        if _HAN.match(word.text):
            continue
        inside = any(s <= word.start < e for s, e in taken)
        if inside or word.text.lower() in grammar:
            yield from flush()
            continue
        if run and not re.fullmatch(r"[\s\-]*", text[run[-1].end : word.start]):
            yield from flush()
        run.append(word)
    yield from flush()
    yield from _han_runs(text, taken, reading.words_of)


def _han_runs(text: str, taken: Sequence[Span], vocabulary: Lexicon) -> Iterator[Phrase]:
    """Runs of Chinese between its words of grammar."""
    small = sorted((w for w in vocabulary.grammar if _HAN.match(w)), key=len, reverse=True)
    cut = re.compile("|".join(map(re.escape, small)) or "(?!)")
    for match in re.finditer(r"[\u3400-\u9fff]+", text):
        place = match.start()
        for piece in cut.split(match[0]):
            at = text.find(piece, place) if piece else place
            if piece and not any(s < at + len(piece) and at < e for s, e in taken):
                yield Phrase(piece, (at, at + len(piece)), "words")
            place = at + len(piece)


def lead_of(reading: Reading, start: int) -> str:
    """The word of grammar before a place, articles and pronouns passed over."""
    before = [w for w in reading.words if w.end <= start][-3:]
    for word in reversed(before):
        low = word.text.lower()
        if low in {"the", "a", "an", "my", "his", "her", "its", "their", "our", "your", "this", "that"}:
            continue
        return low
    return ""


def _grouped(found: list[Phrase], text: str) -> Iterator[Phrase]:
    group = -1
    numbers = [-1] * len(found)
    for n, (a, b) in enumerate(pairwise(found)):
        alike = a.sort == b.sort or (a.text and b.text)
        if alike and _JOINT.match(_between(text, a, b)):
            if numbers[n] < 0:
                group += 1
                numbers[n] = group
            numbers[n + 1] = numbers[n]
    firsts: dict[int, str] = {}
    for phrase, number in zip(found, numbers, strict=True):
        lead = firsts.setdefault(number, phrase.lead) if number >= 0 else phrase.lead
        yield replace(phrase, group=number, lead=lead)


def _between(text: str, a: Phrase, b: Phrase) -> str:
    """What stands between two phrases; a unit after the first of two numbers is passed over."""
    said = text[a.span[1] : b.span[0]]
    return re.sub(r"^\s*[A-Za-z°]+\b", "", said) if a.sort == "number" and not _JOINT.match(said) else said


def plain_value(value: Any) -> Any:
    """A phrase's value as it is said."""
    return value.said if isinstance(value, Day | Clock) else value
