"""Owns which replicas have seen how requests begin, so that their prefix caches are used again."""

from __future__ import annotations

from collections import OrderedDict

from .....agents.model import ModelRequest

_MOST = 20_000


class Prefixes:
    """The beginnings that were sent, and to which replicas: the latest `most` of them.

    A beginning is a number of whole messages from the first on, for one model, adapter and tenant: that is what
    engines keep apart in their caches. A run's name stands for the beginning of nothing at all.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._seen: OrderedDict[int, tuple[str, ...]] = OrderedDict()

    @staticmethod
    def beginnings(request: ModelRequest) -> list[int]:
        """A hash for the run and one for each beginning, the longest last."""
        hints = request.hints
        said = hash((request.model, request.adapter, hints.tenant if hints else ""))
        found = [hash((said, "run", hints.run))] if hints and hints.run else []
        for message in request.messages:
            said = hash((said, message.role, message.content))
            found.append(said)
        return found

    def holders(self, beginnings: list[int]) -> tuple[str, ...]:
        """The replicas that have seen the longest of these that any has."""
        for beginning in reversed(beginnings):
            if beginning in self._seen:
                return self._seen[beginning]
        return ()

    def saw(self, beginnings: list[int], name: str) -> None:
        """A request that begins like this went to that replica."""
        for beginning in beginnings:
            held = self._seen.pop(beginning, ())
            self._seen[beginning] = held if name in held else (*held, name)
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
