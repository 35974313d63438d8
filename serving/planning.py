"""Planning: what a house gives its planners beside the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..planner.intent.intents import Intents
from ..planner.services import Services
from ..runtime.journalling.redaction import Redactor
from ..runtime.store import Store
from .measures import PastWork
from .planmemory import plan_memory
from .settings import Settings


@asynccontextmanager
async def services_for(settings: Settings, store: Store, redactor: Redactor) -> AsyncIterator[Services]:
    """Plans that worked, what past runs took, and who tells requests apart, for as long as the block lasts.

    Raises:
        InvalidInput: the settings name no place for plans that could be one.
    """
    async with plan_memory(settings, redactor=redactor) as memory:
        yield Services(memory=memory, measures=PastWork(store), intents=Intents())
