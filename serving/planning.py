"""Planning: what a house gives its planners beside the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..planner.intent.intents import Intents
from ..planner.services import Services
from ..runtime.journalling.redaction import Redactor
from ..runtime.store import Store
from .measures import PastWork
from .planmemory import local_embedding, plan_memory
from .remembering import remembering
from .settings import Settings


@asynccontextmanager
async def services_for(settings: Settings, store: Store, redactor: Redactor) -> AsyncIterator[Services]:
    """Plans that worked, what past runs took, who tells requests apart, what agents remember, for as long as the block lasts.

    Raises:
        InvalidInput: the settings name no place for plans or memories that could be one.
    """
    async with (
        local_embedding(settings) as embedding,  # one for both: it takes 90 MB
        plan_memory(settings, redactor=redactor, embedding=embedding) as plans,
        remembering(settings, redactor=redactor, embedding=embedding) as own,
    ):
        yield Services(memory=plans, measures=PastWork(store), intents=Intents(), remembers=own)
