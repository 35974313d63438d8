"""Owns the words for what goes wrong between us and a server; `Connection` turns them into errors for people."""

from __future__ import annotations


class Fault(Exception):
    """Base of them all; never leaves the client."""


class Unreached(Fault):
    """No connection was made. `again`: trying once more may help."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Dropped(Fault):
    """The connection was lost. `begun`: after the answer had begun. `reused`: it had carried an answer before."""

    def __init__(self, why: str, *, begun: bool, reused: bool) -> None:
        super().__init__(why)
        self.begun = begun
        self.reused = reused


class Silent(Fault):
    """Nothing came for as long as may pass between two pieces. `begun`: the answer had begun."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("it fell silent")
        self.begun = begun


class Late(Fault):
    """The time that the whole call had is over."""


class NotHttp(Fault):
    """What came is not HTTP, or no answer to what was asked."""


class Closed(Fault):
    """The pool was closed by us."""
