"""Services: what planning may use beside the crew and its model, given by whoever puts the house together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..agents.crew import Crew

if TYPE_CHECKING:
    from ..agents.memory.memory import Memory
    from .estimating.measures import Known
    from .intent.intents import Intents
    from .memory.memory import PlanMemory


@dataclass(frozen=True)
class Services:
    """All of them may be missing: plans that worked, what past runs took, who tells what requests are, what agents remember."""

    memory: PlanMemory | None = None
    measures: Callable[[Crew], Awaitable[Known]] | None = None
    intents: Intents | None = None
    remembers: Memory | None = None


NO_SERVICES = Services()
