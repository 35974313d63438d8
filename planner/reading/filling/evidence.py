"""Evidence: how much speaks for a phrase being the value of a parameter, as a number; nothing at all is 0 or less.

The parameter's own words beside the phrase, the word of grammar before it, its unit, and its form.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ....tools.text import STOPWORDS, stem, tokens
from ..lexicon import Lexicon
from ..reading import Reading, Span
from .dates import Clock, Day
from .parameters import Parameter
from .phrases import Phrase

_GENERIC = frozenset(
    stem(w)
    for w in "name value number id type of the list input string data param parameter amount no num text in is".split()
)
_BLOCKS = frozenset({"and", "or", "then", "but", "和", "与"})
_REACH = 5
_ID = frozenset(
    stem(w)
    for w in "id code number email url phone path file link address zip isbn username account card".split()
)


@dataclass(frozen=True)
class Evidence:
    """What a part of a request says about the parameters of one tool. `about` are the stems of the tool's own words."""

    reading: Reading
    span: Span
    phrases: tuple[Phrase, ...]
    about: frozenset[str]
    siblings: tuple[Parameter, ...] = ()
    named: frozenset[str] = frozenset()

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Words that several parameters' names or descriptions have in common: they tell none from another."""
        seen = Counter(w for p in self.siblings for w in {*p.words, *p.tokens})
        return frozenset(w for w, n in seen.items() if n > 1)

    @cached_property
    def _twins(self) -> frozenset[str]:
        """Words that several parameters' names have in common."""
        seen = Counter(w for p in self.siblings for w in set(p.words))
        return frozenset(w for w, n in seen.items() if n > 1)

    @cached_property
    def _towns(self) -> int:
        """How many parameters take a kind of place, none the beginning or the end of a way."""
        cues = self.words_of.cues
        ways = cues["start"].stems | cues["end"].stems
        return sum(
            bool(cues["place"].stems & set(p.words)) and not ways & set(p.words) for p in self.siblings
        )

    @property
    def words_of(self) -> Lexicon:
        """The vocabulary."""
        return self.reading.words_of

    @cached_property
    def _starts(self) -> list[int]:
        return [w.start for w in self.reading.words]

    @cached_property
    def said(self) -> list[str]:
        """The stems of the words in this part, in order."""
        return [w.stem for w in self.reading.words if self.span[0] <= w.start < self.span[1]]

    def of(self, parameter: Parameter, phrase: Phrase) -> float:
        """How much speaks for this phrase; minus infinity where it cannot be the value at all."""
        match parameter.kind:
            case "integer" | "number":
                return self._number(parameter, phrase)
            case "text" | "date":
                return self._text(parameter, phrase)
            case "any":
                return max(self._number(parameter, phrase), self._text(parameter, phrase))
            case _:
                return float("-inf")

    def value(self, parameter: Parameter, phrase: Phrase) -> Any:
        """A phrase as the value of a parameter."""
        value = phrase.value
        if isinstance(value, Day):
            return value.written(parameter.form)
        if isinstance(value, Clock):
            return value.written(parameter.about)
        if phrase.sort == "number":
            if parameter.kind in ("text", "date"):
                return self.reading.text[slice(*phrase.span)].strip()
            if phrase.mark == "%" and parameter.kind != "integer" and self._as_share(parameter):
                return round(value / 100, 10)
            return value
        if (
            phrase.sort == "formula"
            and "**" not in value
            and "^" in value
            and re.search("python|function|express", parameter.about, re.IGNORECASE)
        ):
            return re.sub(r"(\d)\s*([a-z])", r"\1*\2", value).replace("^", "**")
        return value

    def _as_share(self, parameter: Parameter) -> bool:
        """Whether 5 % is to be given as 0.05."""
        if "decim" in parameter.tokens:
            return True
        hundred = {"percentag", "percent", "%"}
        return not (hundred & (parameter.tokens | set(parameter.words))) and "%" not in parameter.about

    def _number(self, parameter: Parameter, phrase: Phrase) -> float:
        if phrase.sort != "number":
            return float("-inf")
        value = self.value(parameter, phrase)
        if parameter.kind == "integer" and isinstance(value, float) and not value.is_integer():
            return float("-inf")
        if not parameter.limits.get("minimum", value) <= value <= parameter.limits.get("maximum", value):
            return float("-inf")
        score = 1.0 + self.beside(parameter, phrase) + self._unit(parameter, phrase)
        if phrase.mark == "word":
            counted = self._after(phrase)
            score -= 2.0 if counted and counted[0] in self.about else 0.7
        elif phrase.mark == "place":
            score -= 1.5
        year = isinstance(value, int) and 1500 <= value <= 2200 and not phrase.mark
        if year and phrase.lead in {"in", "since", "from", "year", "of", "for", "until", "to", "between"}:
            score += 1.5 if "year" in (*parameter.words, *parameter.tokens) else -1.0
        elif "year" in parameter.words and not year and "year" not in self._after(phrase):
            score -= 1.0
        return score

    def _unit(self, parameter: Parameter, phrase: Phrase) -> float:
        after = self._after(phrase)
        unit = phrase.mark or (after[0] if after else "")
        text = self.reading.lower[phrase.span[1] : phrase.span[1] + 8]
        glued = re.match(r"\s*([a-z°µ/²^0-9]+|[a-z]+)", text)
        units = {unit, glued[1] if glued else "", text.strip()[:2]}
        score = 0.0
        mine = set(parameter.words) | parameter.tokens
        for quantity in self.words_of.units.values():
            if units & quantity.units:
                if quantity.stems & set(parameter.words):
                    score = max(score, 1.6)
                elif quantity.stems & mine:
                    score = max(score, 0.8)
                else:
                    score = score or -0.4
        if after and after[0] in mine - _GENERIC:
            score = max(score, 1.8)
        return score

    def _after(self, phrase: Phrase) -> list[str]:
        at = bisect_left(self._starts, phrase.span[1])
        return [w.stem for w in self.reading.words[at : at + 2]]

    def beside(self, parameter: Parameter, phrase: Phrase) -> float:
        """How near the parameter's own words stand to a phrase: before it counts for more than after it."""
        own = [w for w in parameter.words if w not in _GENERIC] or list(parameter.words)
        near = parameter.tokens - _GENERIC - STOPWORDS - self._shared
        words = self.reading.words
        row = (
            [p for p in self.phrases if p.group == phrase.group and p.sort == phrase.sort]
            if phrase.group >= 0
            else [phrase]
        )
        first = bisect_left(self._starts, row[0].span[0])
        last = bisect_left(self._starts, row[-1].span[1])
        best = self._along(
            own,
            near,
            list(reversed(words[max(0, first - _REACH - 2) : first])),
            row[0],
            3.0,
            len(row) > 1,
        )
        return max(best, self._along(own, near, list(words[last : last + 4]), row[-1], 1.8, False))

    def _along(
        self, own: list[str], near: frozenset[str], words: list[Any], phrase: Phrase, weight: float, row: bool
    ) -> float:
        """The evidence of words going away from a phrase, until another value or a joining word is in the way.

        Before a `row` of values the names of several parameters may stand in a row too: none is nearer then.
        """
        passed = 0.0
        best = 0.0
        hits: set[str] = set()
        grammar = STOPWORDS | self.words_of.grammar
        edge = phrase.span[0] if words and words[0].end <= phrase.span[0] else phrase.span[1]
        for word in words:
            gap = self.reading.text[min(edge, word.end) : max(edge, word.start)]
            if re.search(r"[;.?!。；]|[,，](?!\d)", gap) and not row:
                break
            edge = word.start if word.end <= phrase.span[0] else word.end
            if word.text.lower() in _BLOCKS and not row:
                break
            if any(
                p.span[0] <= word.start < p.span[1] and p.sort == phrase.sort != "words" for p in self.phrases
            ):
                break
            hit = next((w for w in own if _same(w, word.stem)), None)
            if hit is not None and hit not in hits:
                hits.add(hit)
                far = weight - (0.5 if row else 0.4 * passed)
                best += far * ((0.55 if hit in self._twins else 1.0) if len(hits) == 1 else 0.4)
            elif word.stem in near and not hits:
                best = max(best, 0.6 * (weight - 0.5 * passed))
            if passed > _REACH:
                break
            passed += 0.25 if word.text.lower() in grammar else 1.0
        return max(0.0, best)

    def _text(self, parameter: Parameter, phrase: Phrase) -> float:
        beside = self.beside(parameter, phrase)
        names = set(parameter.words) | parameter.tokens
        if phrase.sort == "date":
            return (
                3.0 + beside
                if parameter.dated
                else (0.5 + beside if "time" in parameter.words else float("-inf"))
            )
        if phrase.sort == "time":
            return 3.0 + beside if "time" in parameter.words else float("-inf")
        if (
            parameter.dated
            and parameter.form
            and not (phrase.sort == "quoted" and phrase.value[:1].isdigit())
        ):
            return float("-inf")
        if phrase.sort == "list":
            return float("-inf")
        if phrase.sort == "number":
            coded = _ID & set(parameter.words) or {"year", "season"} & set(parameter.words)
            return (0.9 if coded else -0.1) + beside if coded or beside >= 1.5 else float("-inf")
        base = {"quoted": 2.2, "name": 2.0, "place": 1.9, "code": 1.6, "formula": 1.6, "words": 0.6}[
            phrase.sort
        ]
        if parameter.dated:
            base -= 2.0
        if phrase.sort == "code":
            base += 1.5 if _ID & names else -1.2
        if phrase.sort == "formula":
            base += 1.5 if names & {"function", "express", "equat", "polynomi", "formula"} else -1.0
        score = base + beside + self.led(parameter, phrase)
        if phrase.sort == "quoted" and set(tokens(phrase.value)) & (set(parameter.words) - _GENERIC):
            score += 0.8
        if phrase.sort == "place":
            town = self.words_of.cues["place"].stems & (set(parameter.words) | parameter.tokens)
            score += (0.5 if self._towns < 2 else -1.5) if town else -0.6
        if phrase.sort in ("words", "name"):
            own = set(tokens(str(phrase.value)))
            if parameter.words and parameter.words[-1] == "id":
                return float("-inf")  # a name is no key
            if (
                "unit" in parameter.words
                and own
                and own <= self._units
                and phrase.lead in {"in", "to", "into"}
            ):
                score += 2.5
            if phrase.sort == "name":
                score += (
                    0.8
                    if own & (set(parameter.words) - _GENERIC)
                    else -0.8
                    if own and own <= self.about
                    else 0.0
                )
            elif own and own <= self.about:
                score -= 1.5
            elif own & self.about:
                score -= 0.4
            if self.reading.text[phrase.span[1] : phrase.span[1] + 1] == "的":
                score += 0.6
            if phrase.sort == "words" and re.fullmatch(r"\w+(?:ing|ed)", str(phrase.value)):
                score -= 0.8
            if own and own <= set(parameter.words):
                score -= 1.5
        return score

    @cached_property
    def _units(self) -> frozenset[str]:
        return frozenset(stem(u) for q in self.words_of.units.values() for u in q.units)

    def led(self, parameter: Parameter, phrase: Phrase) -> float:
        """Whether the word before a phrase is one that leads to values of this parameter, or of others."""
        score = 0.0
        words = set(parameter.words)
        if words & self.words_of.cues["start"].stems and phrase.lead[:1].isdigit():
            return 1.0  # what is counted is what there is: "2 tablespoons"
        for cue in self.words_of.cues.values():
            if words & cue.stems:
                if phrase.lead in cue.before:
                    score = max(score, 1.5 if phrase.lead in cue.sure else 0.8)
            elif parameter.tokens & cue.stems and phrase.lead in cue.before:
                score = max(score, 0.5)
        if not score and phrase.lead in {"of", "for", "about", "的"}:
            score = 0.4
        ends = self.words_of.cues
        if words & ends["start"].stems and phrase.lead in {"to", "into", "到", "成"}:
            score -= 1.5
        if words & ends["end"].stems and phrase.lead in {"from", "从"}:
            score -= 1.5
        return score


def _same(own: str, said: str) -> bool:
    """Whether two stems are one word, or one is the other cut short: "temp" and "temperatur"."""
    if own == said:
        return True
    short, long = (own, said) if len(own) < len(said) else (said, own)
    return len(short) >= 4 and long.startswith(short)
