"""The general-language vocabulary of the deterministic planner, read from `lexicon.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ...tools.text import normal, tokens


@dataclass(frozen=True)
class Kin:
    """Words that say the same kind of thing, as comparable tokens, and how surely one means another."""

    stems: frozenset[str]
    weight: float


@dataclass(frozen=True)
class Role:
    """Which prepositions before a value point at which parameter names."""

    prepositions: frozenset[str]
    parameters: frozenset[str]


@dataclass(frozen=True)
class Quantity:
    """Units of measure, the words for what they measure, as stems, and the units' long names as stems."""

    units: frozenset[str]
    stems: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True)
class Cue:
    """Which words before a value point at parameters whose names have which stems, some of them surely."""

    sure: frozenset[str]
    before: frozenset[str]
    stems: frozenset[str]


@dataclass(frozen=True)
class Lexicon:
    """The vocabulary, ready to match: operations and phrases as text, kin words as tokens."""

    operations: dict[str, tuple[str, ...]]
    kin: tuple[Kin, ...]
    lowest: frozenset[str]
    highest: frozenset[str]
    earliest: frozenset[str]
    latest: frozenset[str]
    not_superlatives: frozenset[str]
    small_talk: tuple[str, ...]
    wants: dict[str, frozenset[str]]
    plain: frozenset[str]
    numbers: dict[str, int]
    ordinals: dict[str, int]
    roles: dict[str, Role]
    grammar: frozenset[str]
    acts: tuple[frozenset[str], ...]
    acting: frozenset[str]
    verbs: frozenset[str]
    after: tuple[str, ...]
    also: tuple[str, ...]
    units: dict[str, Quantity]
    cues: dict[str, Cue]

    def same_act(self, token: str) -> frozenset[str]:
        """Stems of verbs that ask for the same as this one does, it among them."""
        return frozenset().union({token}, *(row for row in self.acts if token in row))

    def relatives(self, token: str) -> dict[str, float]:
        """Tokens that say the same kind of thing as `token`, each with how surely."""
        found: dict[str, float] = {}
        for kin in self.kin:
            if token in kin.stems:
                for other in kin.stems - {token}:
                    found[other] = max(found.get(other, 0.0), kin.weight)
        return found


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The vocabulary; read once."""
    raw: dict[str, Any] = tomllib.loads(
        files(__package__ or "crewgraph.planner.reading").joinpath("lexicon.toml").read_text("utf-8")
    )
    extremes = raw["extremes"]
    return Lexicon(
        operations={name: tuple(normal(w) for w in said) for name, said in raw["operations"].items()},
        kin=tuple(
            Kin(
                frozenset(t for w in row["words"] for t in tokens(w, stop=False)[-1:]), row.get("weight", 1.0)
            )
            for row in raw["kin"]
        ),
        **{
            name: frozenset(extremes[name])
            for name in ("lowest", "highest", "earliest", "latest", "not_superlatives")
        },
        wants={word: frozenset(t for w in kinds for t in tokens(w)) for word, kinds in raw["wants"].items()},
        plain=frozenset(t for w in raw["plain"]["words"] for t in tokens(w, stop=False)),
        small_talk=tuple(normal(p) for p in raw["small_talk"]["phrases"]),
        numbers=raw["numbers"]["words"],
        ordinals=raw["numbers"]["ordinals"],
        roles={
            name: Role(frozenset(r["prepositions"]), frozenset(r["parameters"]))
            for name, r in raw["roles"].items()
        },
        grammar=frozenset(normal(w) for w in raw["grammar"]["words"]),
        acts=tuple(_stems(row) for row in raw["acts"]["rows"]),
        acting=frozenset().union(*(_stems(row) for row in raw["acts"]["rows"])),
        verbs=frozenset(normal(w) for row in raw["acts"]["rows"] for w in row),
        after=tuple(sorted(map(normal, raw["order"]["after"]), key=len, reverse=True)),
        also=tuple(sorted(map(normal, raw["order"]["also"]), key=len, reverse=True)),
        units={
            name: Quantity(
                frozenset(normal(u) for u in q["units"]),
                _stems(q["words"]),
                _stems([u for u in q["units"] if len(u) > 2]),
            )
            for name, q in raw["units"].items()
        },
        cues={
            name: Cue(
                frozenset(map(normal, c["sure"])), frozenset(map(normal, c["before"])), _stems(c["words"])
            )
            for name, c in raw["cues"].items()
        },
    )


def _stems(words: list[str]) -> frozenset[str]:
    return frozenset(t for word in words for t in tokens(word, stop=False)[-1:])
