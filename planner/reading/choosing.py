"""Choosing: of the tools that fit, the fewest that use what a request names, and whether it speaks of them at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...tools.text import tokens
from ...tools.tool import Option, Tool
from .known.mentions import Mention
from .known.slots import Fit
from .reading import Reading, Span

_MIN_SIMILAR = 0.12
_GUESSED = 2.0
_KIN = 0.6
_PAIR = 2
ALSO_READ = 0.34
_ONLY_READ = 0.5
_NAME = 2.0


def says_its_name(tool: Tool, reading: Reading) -> bool:
    """Whether a request says what a tool is called: one that changes something is never run on a guess."""
    asked = {t.stem for t in reading.terms}
    kin = {other for t in asked for other in reading.words_of.relatives(t)}
    return bool((asked | kin) & set(tokens(tool.name.replace("_", " ")))) or bool(
        {t for t in asked if not t.isascii()} & {t for t in tokens(tool.description) if len(t) == _PAIR}
    )


def speaks_of(f: Fit, similar: float, reading: Reading) -> bool:
    """Whether a request speaks of a tool at all: it names a value of it, or says what it does.

    A number alone fits every tool that takes numbers.
    """
    if f.tool.effect != "read_only" and not says_its_name(f.tool, reading):
        return False
    named = any(f.tool.options.get(name) for name in f.known) and bool(f.used)
    return named or similar >= 2 * _MIN_SIMILAR or (f.coverage > 0 and (f.arithmetic or not f.counts))


def told_or_looked_up(chosen: list[Fit], reading: Reading, own: Reading) -> list[Fit]:
    """The bound calls, unless what they leave unsaid of the request shows that it is about something else.

    A question for a reason is for the documents, and so is one most of whose words the calls do not use, unless
    it names two things that they do.
    """
    unsaid = unexplained(chosen, reading)
    if own.explains and unsaid > 0:
        return []
    sure = any(sum(weight >= 1.0 for weight in f.used.values()) > 1 for f in chosen)
    if (unsaid > _ONLY_READ and not sure) or (unsaid > ALSO_READ and any(f.spread for f in chosen)):
        return []
    return chosen


def unexplained(chosen: Sequence[Fit], reading: Reading) -> float:
    """The share of a request's content words that calls do not use and general vocabulary does not account for."""
    vocabulary = reading.words_of
    spans = [span for f in chosen for span in f.used]
    spans += [span for _, span in (*reading.extremes, *reading.numbers)]
    about = " ".join(f"{f.tool.name.replace('_', ' ')} {f.tool.description.split(':')[0]}" for f in chosen)
    bound = " ".join(
        f"{o.value} {' '.join(o.names)}"
        for f in chosen
        for n, o in _bound(f)
        if len(f.tool.options[n]) <= _PAIR * 6
    )
    things = set(tokens(f"{about} {bound.replace('_', ' ')}"))
    kin = {other for t in things for other in vocabulary.relatives(t)}
    if reading.compares:
        kin |= {stem for row in vocabulary.kin for stem in row.stems}
    terms = set(reading.terms)
    content = [w for w in reading.words if w in terms and not w.text.isdigit()]
    told = things | kin | vocabulary.plain
    used = {place for s, e in spans for place in range(s, e)}
    pairs = {w.text for w in reading.terms if len(w.text) == _PAIR and not w.text.isascii()}
    known = "".join(p for p in pairs if p in told)
    left = [
        w
        for w in content
        if w.stem not in told and w.text not in known and not used.issuperset(range(w.start, w.end))
    ]
    return len(left) / max(1, len(content))


def _bound(chosen: Fit) -> Iterator[tuple[str, Option]]:
    """The values that a fit's calls give to enumerated parameters, each with its parameter."""
    for name, options in chosen.tool.options.items():
        given = {str(v) for call in chosen.calls for v in _listed(call.args.get(name))}
        yield from ((name, option) for option in options if option.value in given)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def leans(reading: Reading, mentions: Mapping[str, list[Mention]]) -> bool:
    """Whether a message leans on the one before: it says something of this tool, and little else."""
    said = any(m.named for found in mentions.values() for m in found)
    points_back = re.search(
        r"\b(it|its|they|their|them|there|that one|what about|how about)\b|它|他们|那|呢", reading.lower
    )
    return (said and len(reading.terms) <= 4) or points_back is not None


def words_used(chosen: Fit, reading: Reading) -> str:
    """The words of a request that a fit uses, for people."""
    parts = dict.fromkeys(reading.text[s:e] for s, e in sorted(chosen.used) if e - s < len(reading.text))
    return ", ".join(f"“{p}”" for p in parts) or "its description"


def similarity(tools: Sequence[Tool], reading: Reading) -> dict[str, float]:
    """For each tool, the share of the request's content words (or, for less, of their kin) that describe it."""
    asked = {t.stem: set(reading.words_of.relatives(t.stem)) for t in reading.terms}
    bags = {t.name: set(tokens(f"{t.name.replace('_', ' ')} {t.description}")) for t in tools}
    return {
        name: sum(1.0 if t in bag else _KIN if kin & bag else 0.0 for t, kin in asked.items())
        / max(1, len(asked))
        for name, bag in bags.items()
    }


def covering(fits: Sequence[Fit], similar: Mapping[str, float], reading: Reading) -> list[Fit]:
    """The fewest tools that use what the request names: the best first, then those that use names still unused."""
    compared = any(len(f.calls) > 1 for f in fits) and reading.compares
    chosen: list[Fit] = []
    used: set[Span] = set()
    rest = list(fits)

    def gain(f: Fit) -> float:
        return sum(w for span, w in f.used.items() if not any(overlap(span, u) for u in used))

    def score(f: Fit) -> float:
        joined = 0.6 if compared and len(f.calls) > 1 else 0.0
        return gain(f) + joined + similar[f.tool.name] - (_GUESSED if f.spread else 0.0)

    while rest:
        best = max(rest, key=score)
        rest.remove(best)
        if chosen and best.spread:
            continue
        if chosen and not any(
            w >= _NAME and not any(overlap(span, u) for u in used) for span, w in best.used.items()
        ):
            continue
        chosen.append(best)
        used |= set(best.used)
    return chosen


def overlap(a: Span, b: Span) -> bool:
    """Whether two places have something in common."""
    return a[0] < b[1] and b[0] < a[1]
