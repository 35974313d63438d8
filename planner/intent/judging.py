"""Judging: from the signs of a request, the examples it is like and what a crew's tools make of it to its kind.

A guess names the case it belongs to. How often guesses of that case are right was measured on labelled requests, and is kept
in `measured.toml`; no guess is surer than that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple, Protocol

from .examples import SORTS, Shares, Sort
from .form.signs import Signs, Wish
from .kinds import Kind
from .offers import Offer, told

_AGREES, _DIFFERS = 0.45, 0.18
_LEVELS = (0.3, 0.4, 0.5, 0.65)
_TALKS = 0.12
_FEW = 14
_MEANS_TOOL = 0.42
_LIKELY = 3
_MANY_QUESTIONS = 3
MANY_WORDS = 90
"""A request of more words is long: it is planned for that alone, where nothing else tells what it wants."""

_PRIOR = 3.0
_SORTS_OF: Mapping[Wish, tuple[Sort, ...]] = {
    "tell": ("ask", "write"),
    "write": ("write", "ask"),
    "gather": ("act", "ask", "write"),
    "act": ("act",),
    "plan": ("steps",),
}


class Wanted(NamedTuple):
    """What a request wants whatever the crew: its sort, by which rule ("near": none), and why in words."""

    sort: Sort | Wish
    rule: str
    why: str
    agreement: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A kind, the case by which it was come to, and why in words."""

    kind: Kind
    case: str
    why: str


def wanted(signs: Signs, shares: Shares, *, talks: str) -> Wanted:
    """What a request wants. `talks` says how it is small talk by the rules for that: "surely", "maybe" or ""."""

    def by(sort: Sort | Wish, rule: str, why: str, alike: tuple[Sort, ...]) -> Wanted:
        share = sum(shares[s] for s in alike)
        agreement = "with" if share >= _AGREES else "against" if share < _DIFFERS else "even"
        return Wanted(sort, rule, why, agreement)

    kinds: list[Wish] = [kind for kind, _ in signs.wishes]
    verbs = " and ".join(dict.fromkeys(f"“{verb}”" for _, verb in signs.wishes))
    few = signs.reading.length <= _FEW
    if talks == "surely" or (few and not kinds and not signs.asks and signs.says("chat")):
        return by("chat", "talk", "It greets, thanks or chats.", ("chat",))
    if steps := _steps(signs, kinds, verbs):
        return by("steps", "steps", steps, ("steps",))
    if signs.asks:
        if talks and shares["chat"] >= _TALKS and signs.says("you"):
            return by("chat", "chat", "It speaks to the assistant about itself.", ("chat",))
        if signs.says("advice"):
            return by("write", "advice", "It asks for advice.", ("ask", "write"))
        if signs.live:
            return by("act", "live", f"It asks for what changes or is private (“{signs.live}”).", ("act",))
        return by("ask", "asks", "It is one question.", ("ask", "write"))
    if kinds:
        return by(kinds[0], kinds[0], f"It wishes for one thing ({verbs}).", _SORTS_OF[kinds[0]])
    if talks and shares["chat"] >= _TALKS:
        return by("chat", "chat", "It says something and asks for nothing.", ("chat",))
    if signs.live and shares["act"] > shares["chat"]:
        return by("act", "live", f"It speaks of what changes or is private (“{signs.live}”).", ("act",))
    best = max(SORTS, key=lambda sort: shares[sort])
    level = sum(shares[best] >= bound for bound in _LEVELS)
    return Wanted(best, "near", f"Of known requests it is most like those that {_SAID[best]}.", str(level))


_SAID: Mapping[Sort, str] = {
    "chat": "chat",
    "ask": "ask a question",
    "write": "want a text or advice",
    "act": "want something done",
    "steps": "want several things done",
}


def _steps(signs: Signs, kinds: list[Wish], verbs: str) -> str:
    """Why a request wants several steps; "" where it does not."""
    does = [k for k in kinds if k in ("gather", "act", "plan")]
    if signs.numbered and kinds[:1] != ["write"]:
        return f"It lists {signs.numbered} points."
    if "plan" in kinds:
        return f"It wants something organised ({verbs})."
    if len(kinds) > 1 and does:
        return f"It wants several things done ({verbs})."
    if len(kinds) > 2:
        return f"It wants several things ({verbs})."
    if (kinds or signs.asks) and signs.says("condition") and signs.says("either"):
        return f"What is wanted hangs on a condition (“{signs.says('either')}”)."
    if (does or "write" in kinds) and (said := signs.says("sequence")):
        return f"It puts things in an order (“{said}”)."
    if (does or "write" in kinds) and (said := signs.says("condition")):
        return f"What is done hangs on a condition (“{said}”)."
    if (does or "write" in kinds) and (said := signs.says("each")):
        return f"It wants something done for each of several (“{said}”)."
    if signs.reading.length > MANY_WORDS and not (kinds[:1] == ["write"] and signs.says("pasted")):
        return "It is long, so it may want several things."
    return ""


def for_crew(want: Wanted, offer: Offer, signs: Signs, *, means: Mapping[str, float]) -> Guess:
    """The kind of a request for one crew. `means` says how near each tool's description is in meaning, where known."""
    sort, why = want.sort, want.why

    def guess(kind: Kind, because: str = "", how: str = "") -> Guess:
        rule = how or want.rule
        tools = ":tools" if offer.tools and kind in ("question", "documents") else ""
        return Guess(kind, f"{kind}:{rule}:{want.agreement}{tools}", f"{why} {because}".strip())

    if sort == "chat":
        return guess("small_talk")
    if sort == "steps":
        return guess("plan")
    if not offer.tools:
        return _without_tools(want, offer, signs, guess)
    if offer.mixed:
        return guess("plan", "Some of it is for tools and some for the documents.", "mixed")
    if offer.fitting:
        return guess("tools", f"It says all that {told(offer.fitting)} must be told.", "fits")
    close = [t for t in offer.tools if means.get(t.name, 0.0) >= _MEANS_TOOL]
    if sort in ("act", "gather"):
        return guess("plan", "No tool fits it as it stands.", "unfit")
    if near := (offer.near[:1] or tuple(close)):
        if sort == "write" and not close:
            return guess("question")
        if not (offer.documents and not close):
            return guess("plan", f"{told(near)} may serve it.", "near-tool")
    return _without_tools(want, offer, signs, guess)


class _Guessing(Protocol):
    """Makes a guess of a kind, with what is to be said of it and the rule that it stands on."""

    def __call__(self, kind: Kind, because: str = "", how: str = "") -> Guess: ...


def _without_tools(want: Wanted, offer: Offer, signs: Signs, guess: _Guessing) -> Guess:
    reads = bool(offer.documents)
    if reads and want.rule == "near" and (want.sort != "chat" or int(want.agreement) < _LIKELY):
        return guess("documents", "It may stand in the documents.")
    if (
        reads
        and want.sort in ("write", "act")
        and want.rule != "near"
        and not signs.says("documents")
        and not signs.asks
    ):
        return guess("question", "It needs none of the documents.")
    if signs.head.count("?") + signs.head.count("？") >= _MANY_QUESTIONS:
        return guess("plan", "It asks several questions.", "questions")
    return guess("documents" if reads else "question")


@dataclass(frozen=True)
class Measured:
    """How often the guesses of each case were right, of how many."""

    cases: Mapping[str, tuple[int, int]]
    _rates: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def confidence(self, case: str) -> float:
        """How often a guess of this case is right: as measured, and where little was, nearer to what its kind has."""
        if case not in self._rates:
            self._rates[case] = self._rate(case)
        return self._rates[case]

    def _rate(self, case: str) -> float:
        parts = case.split(":")
        rate = 0.5
        for depth in (1, 2, len(parts)):
            right, of = self._counted(":".join(parts[:depth]))
            rate = (right + _PRIOR * rate) / (of + _PRIOR)
        return rate

    def _counted(self, begin: str) -> tuple[int, int]:
        same = [n for name, n in self.cases.items() if name == begin or name.startswith(f"{begin}:")]
        return sum(right for right, _ in same), sum(of for _, of in same)


@lru_cache(maxsize=1)
def measured() -> Mapping[str, Measured]:
    """What was measured with the examples' letters alone ("letters") and with an embedding model ("meaning"); read once."""
    raw = tomllib.loads(files(__package__ or "").joinpath("measured.toml").read_text("utf-8"))
    return {
        name: Measured({case: (int(right), int(of)) for case, (right, of) in table.items()})
        for name, table in raw.items()
    }
