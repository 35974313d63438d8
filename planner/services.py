"""Services: what planning may use beside the crew's model, given by whoever puts the house together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .likeness import Embed


@dataclass(frozen=True)
class Services:
    """All of them may be missing. `embed` makes vectors of texts; it is asked for only where it is needed."""

    embed: Callable[[], Awaitable[Embed | None]] | None = None


NO_SERVICES = Services()
