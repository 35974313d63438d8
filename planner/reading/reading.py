"""Reading: what a request says on its face, before any tool is looked at.

Words with their places, numbers, the end of a scale it asks for, the operations it names, arithmetic it contains.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ...tools.text import STOPWORDS, Language, language_of, stem
from .lexicon import Lexicon, lexicon

Span = tuple[int, int]
Extreme = Literal["highest", "lowest", "earliest", "latest"]

_TOKEN = re.compile(r"[A-Za-z0-9_]+(?:['.][A-Za-z0-9]+)*|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![A-Za-z0-9_.])-?\d+(?:\.\d+)?")
_WORDED = (
    (r"\bmultiplied by\b|\btimes\b|乘以|乘", "*"),
    (r"\bdivided by\b|除以", "/"),
    (r"\bplus\b|加上|加", "+"),
    (r"\bminus\b|减去|减", "-"),
    (r"\bsquared\b|的平方(?!根)", "**2"),
    (r"\bcubed\b|的立方", "**3"),
    (r"\bto the power of\b|的次方", "**"),
    (r"\b(?:the )?square root of\s*(\d+(?:\.\d+)?)", r"sqrt(\1)"),
    (r"(?<![\d.])(\d+(?:\.\d+)?)\s*的平方根", r"sqrt(\1)"),
    (r"(\d)\s*percent of\b", r"\1% of"),
    (r"(\d)\s*percent\b", r"\1%"),
    (r"百分之\s*(\d+(?:\.\d+)?)", r"\1%"),
    (r"[x×](?=\s*\d)", "*"),
)
_ARITHMETIC = re.compile(r"(?:sqrt\(|[-(]|\d)(?:[\d\s.,+\-*/()^%×÷−]|sqrt|of(?=\s*[\d(])|的(?=\s*[\d(]))*")
_SCALES = {
    "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "百": 1e2, "千": 1e3, "万": 1e4, "百万": 1e6, "亿": 1e8,
}  # fmt: skip
_SCALE = re.compile(r"\s*(thousand|million|billion|trillion|百万|百(?!分)|千(?![克米瓦卡赫])|万|亿)(?![a-z])")
_OPERATION = re.compile(
    r"\d[\s)%]*(?:[+*/^×÷−-]|\*\*|%\s*(?:of|的))\s*[-(]*(?:sqrt\()?\d|\*\*[23]|sqrt\(|\d\s*的\s*\d[\d.]*\s*%"
)
_CODE = re.compile(r"(?<![\d.,])0\d")
"""A leading zero: a telephone number, a date, a part number, but no arithmetic."""
_DATE = re.compile(r"(?<!\d)\d{4}-\d{1,2}-\d{1,2}(?!\d)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as written, its stem, and its place."""

    text: str
    stem: str
    start: int
    end: int


def plain(text: str) -> str:
    """Full-width to ASCII, accents dropped, curly apostrophes straight; case kept."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).replace("’", "'"))
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


@dataclass(frozen=True)
class Reading:
    """A request, read. `text` is its plain form with case, and every place is a place in it."""

    request: str
    words_of: Lexicon = field(default_factory=lexicon, repr=False)

    @cached_property
    def text(self) -> str:
        """The plain form, case kept."""
        return plain(self.request)

    @cached_property
    def lower(self) -> str:
        """The plain form in lower case, place for place the same as `text`."""
        low = self.text.lower()
        return low if len(low) == len(self.text) else self.text

    @cached_property
    def lang(self) -> Language:
        """The language to answer in."""
        return language_of(self.request)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words in order; a run of Chinese is one word per character."""
        found: list[Word] = []
        for match in _TOKEN.finditer(self.text):
            if _HAN.match(match[0]):
                found.extend(
                    Word(c, c, match.start() + n, match.start() + n + 1) for n, c in enumerate(match[0])
                )
            else:
                found.append(Word(match[0], stem(match[0].lower()), match.start(), match.end()))
        return tuple(found)

    @cached_property
    def length(self) -> int:
        """How many words there are, without making them."""
        return sum(len(said) if _HAN.match(said) else 1 for said in _TOKEN.findall(self.text))

    @cached_property
    def terms(self) -> tuple[Word, ...]:
        """Comparable terms with their places: content words, Chinese characters and pairs of them."""
        found: list[Word] = []
        for n, word in enumerate(self.words):
            if word.text.lower() in STOPWORDS and word.text.lower() not in {"when", "where"}:
                continue
            found.append(word)
            if (
                _HAN.match(word.text)
                and n + 1 < len(self.words)
                and (after := self.words[n + 1]).start == word.end
                and _HAN.match(after.text)
            ):
                pair = word.text + after.text
                found.append(Word(pair, pair, word.start, after.end))
        return tuple(found)

    @cached_property
    def numbers(self) -> tuple[tuple[float | int, Span], ...]:
        """Numbers in digits or small number words, in order."""
        found: list[tuple[float | int, Span]] = []
        for match in _NUMBER.finditer(self.text):
            value, end = float(match[0].replace(",", "")), match.end()
            if math.isinf(value):
                continue
            if scale := _SCALE.match(self.lower, end):
                value, end = value * _SCALES[scale[1]], scale.end()
            found.append((int(value) if value.is_integer() else value, (match.start(), end)))
        digits = {place for _, span in found for place in range(*span)}
        for n, word in enumerate(self.words):
            small = self.words_of.numbers.get(word.text.lower())
            if small is None or word.start in digits:
                continue
            if word.text.lower() in {"one", "一"} or (_HAN.match(word.text) and not self._counts(n)):
                continue
            found.append((small, (word.start, word.end)))
        return tuple(sorted(found, key=lambda item: item[1]))

    def _counts(self, place: int) -> bool:
        return place + 1 < len(self.words) and self.words[place + 1].text in "个位名国种座条家"

    @cached_property
    def ordinal(self) -> tuple[int, Span] | None:
        """A place in an order ("third", "2nd", "第三"), with where it is said."""
        for word in self.words:
            low = word.text.lower()
            if low in self.words_of.ordinals:
                return self.words_of.ordinals[low], (word.start, word.end)
            if match := re.fullmatch(r"(\d{1,9})(?:st|nd|rd|th)", low):
                return int(match[1]), (word.start, word.end)
        if match := re.search(r"第\s*(\d{1,9}|[一二三四五六七八九十])", self.text):
            value = int(match[1]) if match[1].isdigit() else self.words_of.numbers[match[1]]
            return value, match.span()
        return None

    @cached_property
    def extremes(self) -> tuple[tuple[Extreme, Span], ...]:
        """The ends of a scale that are asked for, with where they are said."""
        vocabulary, found = self.words_of, list[tuple[Extreme, Span]]()
        tables: tuple[tuple[Extreme, frozenset[str]], ...] = (
            ("earliest", vocabulary.earliest),
            ("latest", vocabulary.latest),
            ("lowest", vocabulary.lowest),
            ("highest", vocabulary.highest),
        )
        for word in self.words:
            if _HAN.match(word.text):
                continue  # phrases of several characters come first, below
            low = word.text.lower()
            for extreme, said in tables:
                if low in said:
                    found.append((extreme, (word.start, word.end)))
                    break
            else:
                if low.endswith("est") and len(low) > 4 and low not in vocabulary.not_superlatives:
                    found.append(("highest", (word.start, word.end)))
        taken: set[int] = set()
        for extreme, said in tables:
            for phrase in (p for p in said if _HAN.match(p)):
                for match in re.finditer(re.escape(phrase), self.text):
                    if match.start() not in taken:
                        taken.update(range(*match.span()))
                        found.append((extreme, match.span()))
        return tuple(dict.fromkeys(found))

    @cached_property
    def wanted(self) -> frozenset[str]:
        """What kind of answer the question word asks for, as tokens: who asks for a person, when for a year."""
        for word, kinds in self.words_of.wants.items():
            if word in self.lower and (_HAN.search(word) or re.search(rf"\b{word}\b", self.lower)):
                return kinds
        return frozenset()

    @property
    def explains(self) -> bool:
        """Whether it asks for a reason or an account, which is told in texts and not in figures."""
        return any(self._has(phrase) for phrase in self.words_of.operations["explain"])

    def says(self, operation: str) -> bool:
        """Whether the request names an operation of the vocabulary."""
        return any(self._has(phrase) for phrase in self.words_of.operations[operation])

    @property
    def compares(self) -> bool:
        """Whether it sets things against each other: a comparing word, a comparative, or the end of a scale."""
        return self.says("compare") or bool(self.extremes) or any(self._comparative(w) for w in self.words)

    def _comparative(self, word: Word) -> bool:
        low = word.text.lower()
        if low in {"more", "less", "fewer"}:
            return True
        return low.endswith("er") and any(stem(low) in kin.stems for kin in self.words_of.kin)

    def _has(self, phrase: str) -> bool:
        if phrase not in self.lower:  # far cheaper than the pattern, and nearly always the answer
            return False
        if _HAN.search(phrase) or not phrase[0].isalnum():
            return True
        return re.search(rf"\b{re.escape(phrase)}\b", self.lower) is not None

    @cached_property
    def small_talk(self) -> tuple[Span, ...]:
        """Where phrases of greeting, thanks and chatter stand."""
        found: list[Span] = []
        for phrase in self.words_of.small_talk:
            if phrase not in self.lower:  # far cheaper than the pattern, and nearly always so
                continue
            pattern = re.escape(phrase) if _HAN.search(phrase) else rf"\b{re.escape(phrase)}\b"
            found.extend(match.span() for match in re.finditer(pattern, self.lower))
        return tuple(found)

    @cached_property
    def arithmetic(self) -> str | None:
        """The longest arithmetic expression in the request, in symbols, or None where nothing is to be worked out."""
        text = _DATE.sub(" ", self.lower)
        for word, value in self.words_of.numbers.items():
            if word.isascii() and word in text:
                text = re.sub(rf"\b{word}\b", str(value), text)
        for pattern, symbol in _WORDED:
            text = re.sub(pattern, symbol, text)
        found = [m[0].strip(" .,+*/-") for m in _ARITHMETIC.finditer(text)]
        usable = [
            f for f in found if _OPERATION.search(f) and f.count("(") == f.count(")") and not _CODE.search(f)
        ]
        return max(usable, key=len, default=None)

    def quoted(self) -> list[tuple[str, Span]]:
        """Texts in quotation marks."""
        return [(m[1], m.span()) for m in re.finditer(r"[\"“「『]([^\"”」』]+)[\"”」』]", self.request)]

    def names(self) -> list[tuple[str, Span]]:
        """Runs of capitalised words that do not open a sentence: names, very likely."""
        found: list[tuple[str, Span]] = []
        for match in re.finditer(r"\b[A-Z][\w'’-]*(?:\s+(?:of|the|de|la)?\s*[A-Z][\w'’-]*)*", self.text):
            opens = match.start() == 0 or self.text[: match.start()].rstrip()[-1:] in ".!?:"
            if not (
                opens
                and " " not in match[0]
                and match[0].lower() in STOPWORDS | {"is", "compare", "find", "list", "name", "out", "put"}
            ):
                found.append((match[0].removesuffix("'s"), match.span()))
        return found
