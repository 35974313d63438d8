"""Mentions: which values of a tool's enumerated parameters a request speaks of, and where.

A value is mentioned by name (all words of one of its names stand in the request; the longest name wins, so
"South America" is not "America") or, where no value of the parameter is named, by what it is about (words of its
description, or their kin, stand in the request).
"""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ....tools.text import STOPWORDS, stem, tokens
from ....tools.tool import Option
from ..reading import Reading, Span, plain

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z0-9_]+(?:['.][A-Za-z0-9]+)*")
_FEW = 12
"""Parameters with more values than these hold names of things, which are named or not meant."""

_CLAUSE = re.compile(r",|;|\band\b|[，；。、]|以及|并且|还有")
_SURE = 0.8
_ROOT = 6
"""Words that begin with so many equal letters are taken for relatives: discovered, discoverer."""

_CASED_UP_TO = 3
"""Latin names with capitals, of at most so many letters, count only as written: "US" is not "us"."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One value of a parameter, where the request says it, and how surely (1.0: by name)."""

    value: str
    span: Span
    weight: float = 1.0

    @property
    def named(self) -> bool:
        """Whether it is mentioned by name, not by what it is about."""
        return self.weight >= 1.0


Key = tuple[str, str]
"""A tool's name and a parameter's name."""


def find(options: Mapping[Key, tuple[Option, ...]], reading: Reading) -> dict[Key, list[Mention]]:
    """The mentions of every parameter, in the order in which the request says them."""
    named = {key: list(_named(values, reading)) for key, values in options.items()}
    outer = _outermost({m.span for found in named.values() for m in found})
    found: dict[Key, list[Mention]] = {}
    for key, mentions in named.items():
        kept = _proper([m for m in mentions if m.span in outer], reading)
        first: dict[str, Mention] = {}
        for mention in sorted(kept, key=lambda m: m.span):
            first.setdefault(mention.value, mention)
        found[key] = list(first.values())
    ends = {span for _, span in reading.extremes}
    taken = [m.span for mentions in found.values() for m in mentions if m.span not in ends]
    for key, values in options.items():
        if not found[key]:
            found[key] = _about(values, reading, taken)
        elif better := _asked_for(values, found[key], reading):
            found[key] = better
        else:
            found[key] += _elsewhere(values, found[key], reading, taken)
    return found


def _proper(mentions: list[Mention], reading: Reading) -> list[Mention]:
    """Where some names begin large, those that do not are common words: a bill is not Bill."""
    written = [reading.text[slice(*m.span)] for m in mentions]
    if not any(w[0].isupper() for w in written):
        return mentions
    return [
        m
        for m, w in zip(mentions, written, strict=True)
        if not w[0].islower() or m.value[0].islower() or " " in w
    ]


def _elsewhere(
    values: tuple[Option, ...], named: list[Mention], reading: Reading, taken: list[Span]
) -> list[Mention]:
    """Values that another clause describes beside those named: "its name, and what does it cost?"."""
    if not any(o.about for o in values):
        return []
    ends = [m.start() for m in _CLAUSE.finditer(reading.lower)]
    clauses = {bisect(ends, m.span[0]) for m in named}
    known = {m.value for m in named}
    return [
        m
        for m in _about(values, reading, taken)
        if m.weight >= _SURE and m.value not in known and bisect(ends, m.span[0]) not in clauses
    ]


def _asked_for(values: tuple[Option, ...], named: list[Mention], reading: Reading) -> list[Mention]:
    """The value that a question word asks for, where the one that is named is only its relative.

    "Who discovered it?" names the year of discovery and asks for the discoverer.
    """
    wanted = reading.wanted
    if not wanted or len(named) != 1:
        return []
    bags = {o.value: _bag(o) for o in values}
    if not any(o.about for o in values) or bags[named[0].value] & wanted:
        return []
    root = {t[:_ROOT] for t in tokens(reading.text[slice(*named[0].span)]) if len(t) >= _ROOT}
    near = [v for v, bag in bags.items() if bag & wanted and root & {t[:_ROOT] for t in bag}]
    return [Mention(value, named[0].span) for value in near]


def _outermost(spans: Iterable[Span]) -> set[Span]:
    """The spans that lie inside no other."""
    found: set[Span] = set()
    reached = -1
    for span in sorted(spans, key=lambda s: (s[0], -s[1])):
        if span[1] > reached:
            found.add(span)
            reached = span[1]
    return found


def _named(values: Iterable[Option], reading: Reading) -> Iterable[Mention]:
    by_first: dict[str, list[tuple[tuple[str, ...], str, str]]] = defaultdict(list)
    for option in values:
        for name, parts in _names(option):
            if not parts:
                if name.lower() in reading.lower:
                    places = re.finditer(re.escape(name.lower()), reading.lower)
                    yield from (Mention(option.value, m.span()) for m in places)
            else:
                by_first[parts[0]].append((parts, option.value, name))
    words, small = reading.words, reading.text == reading.lower
    for start, word in enumerate(words):
        for parts, value, name in by_first.get(word.stem, ()):
            run = words[start : start + len(parts)]
            if tuple(w.stem for w in run) == parts and _written(name, [w.text for w in run], small):
                yield Mention(value, (run[0].start, run[-1].end))


@lru_cache(maxsize=8192)
def _names(option: Option) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of a value, each with the stems of its words; a Chinese one has none, and is looked for as it stands."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for name in dict.fromkeys(map(plain, (option.value, option.value.replace("_", " "), *option.names))):
        if _HAN.search(name):
            found.append((name, ()))
        elif parts := tuple(stem(w.lower()) for w in _WORD.findall(name)):
            found.append((name, parts))
    return tuple(found)


@lru_cache(maxsize=8192)
def _bag(option: Option) -> frozenset[str]:
    """All words that stand for a value or tell of it."""
    return frozenset(tokens(" ".join((option.value.replace("_", " "), *option.names, option.about))))


def _written(name: str, said: list[str], small: bool) -> bool:
    """Whether a short name is written as itself, so that it is not taken for a common word.

    Somebody who writes everything `small` writes names so too, and means them where they are no common word.
    """
    if len(name) > _CASED_UP_TO:
        return True
    if small and len(name) > 1:
        return said[0] not in STOPWORDS
    if name == name.lower():  # "pen" is also "Pen" and "pens"
        return len(said) > 1 or said[0] not in STOPWORDS
    return " ".join(said).removesuffix("'s") == name and not (
        len(said) == 1 and said[0].lower() == said[0] and said[0] in STOPWORDS
    )


def _lone(text: str) -> bool:
    """Whether a term is a single Chinese character, which is part of too many words to point at one."""
    return len(text) == 1 and _HAN.match(text) is not None


def _about(values: tuple[Option, ...], reading: Reading, taken: list[Span]) -> list[Mention]:
    """The values that the request's other words point at; a word's own votes count before those of its kin."""
    if len(values) > _FEW and not any(o.about for o in values):
        return []
    bags = {o.value: _bag(o) for o in values}
    rarity = {
        t: math.log(1 + len(bags) / sum(t in bag for bag in bags.values()))
        for bag in bags.values()
        for t in bag
    }
    votes: dict[str, Mention] = {}
    strengths: dict[str, float] = defaultdict(float)
    for term in reading.terms:
        if any(s <= term.start and term.end <= e for s, e in taken) or term.text.isdigit():
            continue
        kin = reading.words_of.relatives(term.stem)
        scored = {}
        for value, bag in bags.items():
            direct = rarity[term.stem] if term.stem in bag and not _lone(term.text) else 0.0
            related = max((w * rarity[t] * 0.8 for t, w in kin.items() if t in bag), default=0.0)
            if direct or related:
                scored[value] = max(direct, related) + 0.2 * min(direct, related)
        if not scored:
            continue
        best = max(scored.values())
        for value, score in scored.items():
            if score >= 0.99 * best and len([s for s in scored.values() if s >= 0.99 * best]) <= max(
                1, len(bags) // 3
            ):
                strengths[value] = max(strengths[value], score)
                weight = min(0.9, score / math.log(1 + len(bags)))
                if value not in votes or votes[value].weight < weight:
                    votes[value] = Mention(value, (term.start, term.end), weight)
    if not votes:
        return []
    top = max(strengths.values())
    return sorted((m for v, m in votes.items() if strengths[v] >= 0.6 * top), key=lambda m: m.span)
