"""The shortlist: of many tools, the few that a request speaks of, by its words (BM25 over names, descriptions, parameters).

Stephen Robertson, Hugo Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond (2009).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...tools.text import STOPWORDS, tokens
from ...tools.tool import Tool
from .filling.parameters import parameters, results, worded
from .lexicon import Lexicon, lexicon

_K1 = 1.2
_B = 0.5
_NAME = 3.0
_ABOUT = 1.5
_PARAMETER = 0.5
_KIN = 0.6
_SAME = 0.8
_VERB = 0.6
_MEASURED = 0.35
_GENERAL = 0.3
_ACT = 1.3
_OTHER_ACT = 0.65
_EMPTY = frozenset(
    {"tool", "api", "function", "use", "given", "specif", "base", "provid", "user", "allow", "e.g", "etc"}
)
"""What descriptions say of every tool."""


_THIN = frozenset(
    tokens(
        "id information detail details specific new current date time including related available", stop=False
    )
)
"""What requests say of everything."""


@dataclass(frozen=True)
class Index:
    """Tools by their words."""

    tools: tuple[Tool, ...]
    bags: tuple[Mapping[str, float], ...]
    rarity: Mapping[str, float]
    long: float
    named: tuple[frozenset[str], ...]
    acts: tuple[frozenset[int], ...]

    def scores(self, asked: Mapping[str, float], act: frozenset[int] = frozenset()) -> list[float]:
        """How well each tool answers to weighted words; `act` are the rows of verbs that say what is to be done."""
        vocabulary = lexicon()
        asked = {t: w * (_VERB if t in vocabulary.acting else 1.0) for t, w in asked.items()}
        wider = _widened(asked, vocabulary)
        found = [0.0] * len(self.tools)
        for token, options in wider.items():
            for n, bag in enumerate(self.bags):
                best = 0.0
                for other, weight in options.items():
                    if other in bag:
                        held = bag[other]
                        best = max(best, weight * self.rarity[other] * held * (_K1 + 1) / (held + _K1))
                if best:
                    length = sum(bag.values()) / self.long
                    found[n] += asked[token] * best / (1 - _B + _B * max(0.6, length))
        if act:
            for n, own in enumerate(self.acts):
                if own:
                    found[n] *= _ACT if own & act else _OTHER_ACT
        return found


def acts_of(words: Iterable[str]) -> frozenset[int]:
    """The rows of verbs that any of these stems belongs to."""
    rows = lexicon().acts
    return frozenset(n for word in words for n, row in enumerate(rows) if word in row)


def _widened(asked: Mapping[str, float], vocabulary: Lexicon) -> dict[str, dict[str, float]]:
    """Each word with those that say the same, and how surely."""
    return {
        token: {
            **{t: w * _KIN for t, w in vocabulary.relatives(token).items()},
            **dict.fromkeys(vocabulary.same_act(token), _SAME),
            **{t: _MEASURED for q in vocabulary.units.values() if token in q.names for t in q.stems},
            token: 1.0,
        }
        for token in asked
    }


def weighed(words: Sequence[str], index: Index | None = None) -> dict[str, float]:
    """Words of a request, each once, those of grammar left out; those that say little of anything count for less.

    Two words that an index knows as one are that one too: "log in" is "login".
    """
    plain = lexicon().plain
    found = {
        token: _GENERAL if token in plain or token in _THIN else 1.0
        for token in words
        if token not in STOPWORDS and token not in _EMPTY and not token.isdigit()
    }
    if index is not None:
        joined = (a + b for a, b in itertools.pairwise(words))
        found |= {token: 1.0 for token in joined if token in index.rarity}
    return found


def shortlist(request: str, tools: Iterable[Tool], limit: int = 12) -> list[Tool]:
    """At most `limit` tools that a request speaks of, the likeliest first; fewer where its words name fewer."""
    index = index_of(tuple(tools))
    scores = index.scores(weighed(tokens(request, stop=False), index))
    ranked = sorted(zip(scores, range(len(scores)), strict=True), key=lambda s: (-s[0], s[1]))
    return [index.tools[n] for score, n in ranked[:limit] if score > 0]


@lru_cache(maxsize=32)
def index_of(tools: tuple[Tool, ...]) -> Index:
    """The index of these tools; made once."""
    bags = tuple(_bag(tool) for tool in tools)
    seen: Counter[str] = Counter(token for bag in bags for token in bag)
    count = max(1, len(tools))
    rarity = {t: math.log(1 + (count - n + 0.5) / (n + 0.5)) + 0.1 for t, n in seen.items()}
    long = sum(sum(bag.values()) for bag in bags) / count or 1.0
    named = tuple(frozenset(tokens(worded(t.name))) for t in tools)
    return Index(tools, bags, rarity, long, named, tuple(_acts(t) for t in tools))


def _acts(tool: Tool) -> frozenset[int]:
    """What a tool does: the verb in its name, else the one that its description begins with."""
    return acts_of(tokens(worded(tool.name))) or acts_of(tokens(tool.description)[:1])


@lru_cache(maxsize=4096)
def _bag(tool: Tool) -> Mapping[str, float]:
    bag: dict[str, float] = {}
    texts: Sequence[tuple[float, str]] = (
        (_PARAMETER, " ".join(f"{worded(p.name)} {' '.join(map(str, p.choices))}" for p in parameters(tool))),
        (_PARAMETER, " ".join(map(worded, results(tool)))),
        (_ABOUT, tool.description),
        (_NAME, worded(tool.name)),
    )
    for weight, text in texts:
        for token in set(tokens(text)) - _EMPTY:
            bag[token] = max(bag.get(token, 0.0), 0.0) + weight
    return bag
