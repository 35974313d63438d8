"""Errands: which tools the parts of a request ask for, with what, and which call needs another's result.

For tools that take texts, lists and several figures. Tools over known things (enumerations, tables, documents) are
chosen by `choosing`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ...tools.text import STOPWORDS, stem, tokens, words
from ...tools.tool import Tool
from .filling.filling import Filled, about_of, fill
from .filling.parameters import parameters, worded
from .filling.phrases import LONGEST, Phrase, phrases
from .known.slots import Call
from .linking import linked
from .reading import Reading, Span
from .segments import Segment, segments
from .shortlist import Index, acts_of, index_of, weighed

_WEAK = 0.3
_LEAST = 0.12
_SECOND = 0.55
_AIR = 2
_HABIT = 1.0
_USUAL = 0.5
_ALIKE = 0.5
_ECHO = 0.35
_LOUD = 0.6
_COMMON = 1.0
_WANTED = 0.4
_NEARLY = 3
_ALMOST = 0.5
_DONE = frozenset({"the", "that", "this", "these", "those", "its", "their", "newly"})
"""Words after which a participle tells of something done, and asks for nothing: "the translated text"."""


@dataclass(frozen=True)
class Errand:
    """One tool asked for in one part of a request. `score` is how well it answers to it, `others` answer nearly as well."""

    tool: Tool
    span: Span
    score: float
    after: bool = False
    others: tuple[Tool, ...] = ()


@dataclass(frozen=True)
class Habit:
    """What requests like this one needed: of each tool, by name, how often (0 to 1), and in which order they came."""

    share: Mapping[str, float] = field(default_factory=dict)
    before: frozenset[tuple[str, str]] = frozenset()
    likeness: float = 0.0


NO_HABIT = Habit()


@dataclass(frozen=True)
class Errands:
    """The calls, what is said for each tool, and the share of the request's content words that the tools know."""

    calls: tuple[Call, ...] = ()
    why: tuple[str, ...] = ()
    known: float = 0.0


def errands(reading: Reading, tools: Sequence[Tool], *, habit: Habit = NO_HABIT) -> Errands:
    """The calls that a request asks of these tools; none where it speaks of none.

    `habit` is what requests like this one needed: it tells between tools that the words name alike, and adds what
    nearly all of them needed though nobody says it. Of a very long request the beginning counts.
    """
    if len(reading.text) > LONGEST:
        reading = Reading(reading.request[:LONGEST])
    index = index_of(tuple(tools))
    found = phrases(reading, openers(index.tools))
    wanted = _merged(
        _habitual(_wanted(reading, index, habit.share, found), reading, index, habit), reading, found
    )
    allowed = [(e, ways) for e in wanted if (ways := _ways(e, reading, found))]
    asked = [(ways, e.after, reading.text[slice(*e.span)]) for e, ways in allowed]
    calls = linked(asked, index.tools, reading, found)
    why = tuple(f"{e.tool.name} fits: “{reading.text[slice(*e.span)].strip(' ,.')[:60]}”" for e, _ in allowed)
    return Errands(tuple(calls), why if calls else (), _known(reading, [e.tool for e, _ in allowed]))


def _ways(errand: Errand, reading: Reading, found: Sequence[Phrase]) -> list[tuple[Tool, Filled]]:
    """The tools that may do an errand, with what its part of the request gives to each, the likeliest first."""
    ways: list[tuple[Tool, Filled]] = []
    for tool in (errand.tool, *errand.others):
        filled = fill(tool, reading, errand.span, found)
        if tool.effect == "read_only" or (_said(replace(errand, tool=tool), reading) and not filled.guessed):
            ways.append((tool, filled))
    return ways


@lru_cache(maxsize=64)
def openers(tools: tuple[Tool, ...]) -> frozenset[str]:
    """Words that begin what a tool does, in its name or its description, and the verbs of asking."""
    from .lexicon import lexicon

    vocabulary = lexicon()
    acts = vocabulary.acting
    found: set[str] = set()
    for tool in tools:
        first = words(tool.description)[:1]
        own = acts | set(tokens(worded(tool.name)))
        found |= {w for w in first if w.isalpha() and (stem(w) in own or stem(w.rstrip("s")) in own)}
        found |= {w.lower() for w in worded(tool.name).split()[:1] if stem(w.lower()) in acts}
    return frozenset(found) | vocabulary.verbs


def _wanted(
    reading: Reading, index: Index, likely: Mapping[str, float], found_: Sequence[Phrase]
) -> list[Errand]:
    """For each part of a request the tool that answers to it best, and others that it names besides."""
    parts = segments(reading, openers(index.tools))
    asking = any(p.asks for p in parts)
    hidden = [p.span for p in found_ if p.sort in ("quoted", "date", "time", "code", "number")]
    words_in = [_words(reading, part.span, hidden) for part in parts]
    graded = [_graded(reading, words_in, n, index, likely) for n in range(len(parts))]
    top = max(
        (max(g, default=0.0) for g, p in zip(graded, parts, strict=True) if p.asks or not asking), default=0.0
    )
    if top <= 0:
        return []
    found: list[Errand] = []
    at: list[int] = []
    told: list[int] = []
    for n, (part, scores) in enumerate(zip(parts, graded, strict=True)):
        best = max(range(len(scores)), key=lambda t: (scores[t], -t))
        if scores[best] < _WEAK * top or (asking and not part.asks):
            told.append(n)
            continue
        start = _told_before(parts, graded, told, at, best)
        if start is not None and start < n and found and told and told[0] < start:
            found[-1] = replace(found[-1], span=(found[-1].span[0], parts[start - 1].span[1]))
        elif start is None and found and told:
            found[-1] = replace(found[-1], span=(found[-1].span[0], parts[told[-1]].span[1]))
        told.clear()
        found.append(
            Errand(
                index.tools[best],
                (parts[n if start is None else start].span[0], part.span[1]),
                scores[best],
                part.after,
                _others(index, scores, best),
            )
        )
        at.append(best)
        found += _besides(reading, part, index, best, scores)
    if found and told:
        found[-1] = replace(found[-1], span=(found[-1].span[0], parts[told[-1]].span[1]))
    return found


def _others(index: Index, scores: Sequence[float], best: int) -> tuple[Tool, ...]:
    """The tools that answer nearly as well as the best."""
    ranked = sorted(range(len(scores)), key=lambda n: (-scores[n], n))[: _NEARLY + 1]
    return tuple(index.tools[n] for n in ranked if n != best and scores[n] >= _ALMOST * scores[best])


def _told_before(
    parts: Sequence[Segment],
    graded: Sequence[Sequence[float]],
    told: Sequence[int],
    at: Sequence[int],
    best: int,
) -> int | None:
    """From which of the parts that only tell something on belongs to what is asked next; None: all to what was before."""
    if not told:
        return None
    if not at:
        return told[0]
    for n in told:
        if parts[n].after or graded[n][best] > graded[n][at[-1]]:
            return n
    return None


def _habitual(wanted: list[Errand], reading: Reading, index: Index, habit: Habit) -> list[Errand]:
    """With what nearly all requests like this one needed besides, where its place in the order is known."""
    if habit.likeness < _ALIKE:
        return wanted
    found = list(wanted)
    for tool in index.tools:
        share = habit.share.get(tool.name, 0.0)
        if share < _USUAL or tool.effect != "read_only" or any(e.tool is tool for e in found):
            continue
        later = [n for n, e in enumerate(found) if (tool.name, e.tool.name) in habit.before]
        place = later[0] if later else len(found)
        span = found[min(place, len(found) - 1)].span if found else (0, len(reading.text))
        found.insert(place, Errand(tool, span, share))
    return found


def _words(reading: Reading, span: Span, hidden: Sequence[Span]) -> list[str]:
    """The stems of a part, without what is only a value."""
    if not reading.text.isascii() and reading.lang == "zh":
        return tokens(reading.text[slice(*span)], stop=False)
    inside = [w for w in reading.words if span[0] <= w.start < span[1]]
    return [
        w.stem
        for n, w in enumerate(inside)
        if not any(s <= w.start < e for s, e in hidden)
        and not (n and w.text.endswith("ed") and inside[n - 1].text.lower() in _DONE)
    ]


def _graded(
    reading: Reading, parts: Sequence[Sequence[str]], at: int, index: Index, likely: Mapping[str, float]
) -> list[float]:
    """How well each tool answers to one part; what was spoken of before is still in the air."""
    act = acts_of([w for w in parts[at] if w in reading.words_of.acting][:1])
    said = weighed(parts[at], index)
    for word in parts[at]:
        for kind in reading.words_of.wants.get(word, ()):
            said.setdefault(kind, _WANTED)
    scores = index.scores(said, act)
    air = {
        token: weight
        for before in parts[max(0, at - _AIR) : at]
        for token, weight in weighed(before, index).items()
        if token not in reading.words_of.acting and token not in said
    }
    if air:
        echoes = index.scores(air, act)
        scores = [s + min(_ECHO * e, _LOUD * s) for s, e in zip(scores, echoes, strict=True)]
    if likely:
        top = max(scores, default=0.0) or 1.0
        scores = [
            s + _HABIT * top * likely.get(t.name, 0.0) if s > 0 or t.name in likely else s
            for s, t in zip(scores, index.tools, strict=True)
        ]
    return scores


def _besides(
    reading: Reading, part: Segment, index: Index, best: int, scores: Sequence[float]
) -> list[Errand]:
    """Tools that a part names beside the best one: each word of their names is said, one that the best has not."""
    said = {w.stem for w in reading.words if part.span[0] <= w.start < part.span[1]}
    acts = reading.words_of.acting
    taken = set(about_of(index.tools[best])) | acts
    found: list[Errand] = []
    for n in sorted(range(len(scores)), key=lambda n: -scores[n])[:6]:
        names = {
            t
            for t in index.named[n]
            if t not in STOPWORDS and (len(index.tools) < 3 or index.rarity.get(t, 0.0) > _COMMON)
        } - acts
        fresh = (names & said) - taken
        if (
            n != best
            and fresh
            and _in_row(reading, part.span, fresh)
            and len(names & said) >= 0.65 * len(names)
            and scores[n] >= _SECOND * scores[best]
        ):
            found.append(Errand(index.tools[n], part.span, scores[n]))
            taken |= names
    return found


def _in_row(reading: Reading, span: Span, fresh: AbstractSet[str]) -> bool:
    """Whether one of these words stands in a row with others: "its height and its weight"."""
    inside = [w for w in reading.words if span[0] <= w.start < span[1]]
    for n, word in enumerate(inside):
        if word.stem in fresh:
            around = reading.lower[inside[max(0, n - 3)].start : inside[min(len(inside) - 1, n + 2)].end]
            if re.search(r"\band\b|,|、|和|及|与|\bas well as\b", around):
                return True
    return False


def _merged(wanted: Sequence[Errand], reading: Reading, found: Sequence[Phrase]) -> list[Errand]:
    """Neighbouring parts that ask for one tool are one errand, unless each says by itself all that the tool needs."""
    merged: list[Errand] = []
    for errand in wanted:
        last = merged[-1] if merged else None
        if last is None or last.tool is not errand.tool:
            merged.append(errand)
            continue
        one = fill(last.tool, reading, last.span, found)
        two = fill(errand.tool, reading, errand.span, found)
        whole = (
            not (one.missing or two.missing or one.guessed or two.guessed)
            and two.evidence > 1.0
            and bool(parameters(errand.tool))
        )
        if whole and one.args != two.args:
            merged.append(errand)
        else:
            span = (min(last.span[0], errand.span[0]), max(last.span[1], errand.span[1]))
            merged[-1] = replace(last, span=span, score=max(last.score, errand.score))
    return merged


def _said(errand: Errand, reading: Reading) -> bool:
    """Whether a part of a request says what its tool does: what changes something is never done on a guess."""
    said = set(tokens(reading.text[slice(*errand.span)]))
    wider = said | {t for w in said for t in reading.words_of.same_act(w)}
    names = set(tokens(worded(errand.tool.name)))
    acts = reading.words_of.acting
    verbs = (names | set(tokens(errand.tool.description)[:1])) & acts
    return bool(verbs & wider) if verbs else bool(names & said)


def _known(reading: Reading, tools: Sequence[Tool]) -> float:
    about = frozenset().union(*(about_of(t) for t in tools)) if tools else frozenset[str]()
    content = [w.stem for w in reading.terms if not w.text.isdigit()]
    return sum(w in about for w in content) / max(1, len(content))
