"""Owns which of several replicas the next request goes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from .....agents.model import ModelRequest
from .prefixes import Prefixes
from .replica import Replica

Policy = Literal["weighted", "least-loaded", "affine"]


class Choosing(Protocol):
    """Chooses one of the replicas that can take a request; there is at least one."""

    def __call__(self, request: ModelRequest, able: Sequence[Replica]) -> Replica:
        """The one that it goes to."""
        ...


class Weighted:
    """Each in turn, by weight, and spread out (nginx's smooth round-robin): of weights 2 and 1, a b a, a b a."""

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}

    def __call__(self, request: ModelRequest, able: Sequence[Replica]) -> Replica:
        """The one with the most credit."""
        if len(able) == 1:
            return able[0]
        for replica in able:
            self._credit[replica.name] = self._credit.get(replica.name, 0.0) + replica.weight
        chosen = max(able, key=lambda replica: self._credit[replica.name])
        self._credit[chosen.name] -= sum(replica.weight for replica in able)
        return chosen


class LeastLoaded:
    """The least busy for its weight; among equals the one with the emptiest cache, and then each in turn."""

    def __init__(self) -> None:
        self._in_turn = Weighted()

    def __call__(self, request: ModelRequest, able: Sequence[Replica]) -> Replica:
        """The least busy one."""
        least = min(_order(replica) for replica in able)
        return self._in_turn(request, [replica for replica in able if _order(replica) == least])


class Affine:
    """The replica that has seen how the request begins, unless it is clearly busier than the others.

    This is consistent hashing with bounded loads (Mirrokni et al., 2016) without the hashing: a replica takes no more
    than `bound` times its share of what is under way, and `slack` more. SGLang's router has the same two thresholds. A
    request that is turned away so goes to the least busy, which from then on has seen its beginning as well.
    """

    def __init__(self, *, bound: float = 1.25, slack: float = 2.0) -> None:
        self._bound, self._slack = bound, slack
        self._prefixes = Prefixes()
        self._least = LeastLoaded()

    def __call__(self, request: ModelRequest, able: Sequence[Replica]) -> Replica:
        """One that knows the beginning, or else the least busy one."""
        beginnings = Prefixes.beginnings(request)
        known = self._prefixes.holders(beginnings)
        mean = sum(replica.busyness * replica.weight for replica in able) / sum(r.weight for r in able)
        most = self._bound * mean + self._slack
        near = [replica for replica in able if replica.name in known and replica.busyness < most]
        chosen = self._least(request, near or able)
        self._prefixes.saw(beginnings, chosen.name)
        return chosen


def choosing(policy: Policy) -> Choosing:
    """The way of choosing that has this name."""
    if policy == "weighted":
        return Weighted()
    return LeastLoaded() if policy == "least-loaded" else Affine()


def _order(replica: Replica) -> tuple[float, float]:
    return replica.busyness, replica.load.cache_used
