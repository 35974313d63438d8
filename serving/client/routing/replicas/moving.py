"""Owns moving streams that have not begun to a replica that has come back, from those that took its requests meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from .replica import Replica
from .vigil import Vigil


class Moved(Exception):
    """Control signal: the stream is to wait at `to` instead; nothing of it was there (see `Deviated`: something was)."""

    def __init__(self, to: Replica) -> None:
        super().__init__(f"moved to {to.name}")
        self.to = to


class Unbegun:
    """A router's streams that wait for their first piece, at each replica in the order in which they came.

    While an engine is down, all its requests stand in another's line, and without this they would stay there when it is
    back. It gets its share by weight of what is under way; the last in the lines go, for the least was done for them.
    """

    def __init__(self) -> None:
        self._at: dict[str, dict[Vigil, None]] = {}

    def add(self, replica: Replica, vigil: Vigil) -> None:
        """A stream waits there."""
        self._at.setdefault(replica.name, {})[vigil] = None

    def discard(self, replica: Replica, vigil: Vigil) -> None:
        """It has begun, or is over."""
        self._at[replica.name].pop(vigil, None)

    def share(self, back: Replica, replicas: Sequence[Replica]) -> None:
        """Move to `back` what is its share."""
        there = [replica for replica in replicas if replica.breaker.state == "closed"]
        each = sum(replica.in_flight for replica in there) / sum(replica.weight for replica in there)
        lacking = int(each * back.weight) - back.in_flight
        for replica in there:
            line = list(self._at.get(replica.name, ()))
            surplus = int(replica.in_flight - each * replica.weight)
            for vigil in line[::-1][: max(0, min(lacking, surplus))]:
                vigil.break_off(Moved(back))
                lacking -= 1

    def send_one(self, to: Replica, replicas: Sequence[Replica]) -> None:
        """Move the last of the longest line, if more than one waits in it, to see whether `to` lives."""
        lines = [self._at.get(r.name, {}) for r in replicas if r is not to and r.breaker.state == "closed"]
        longest = max(lines, key=len, default={})
        if len(longest) > 1:
            next(reversed(longest)).break_off(Moved(to))
