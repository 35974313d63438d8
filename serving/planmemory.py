"""Owns where plans that worked are kept for this user, and what makes the vectors of their requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .keeping import kept_at
from .settings import PLANS_VARIABLE, Settings

if TYPE_CHECKING:
    from ..planner.likeness import Embed, Likeness
    from ..planner.memory.memory import PlanMemory
    from ..runtime.journalling.redaction import Redactor

FOLDER = "plans"

Embedding = Callable[[], Awaitable["Embed | None"]]
"""Gives what makes vectors, at the first call that needs it; None where there is no model for it on this machine."""


def place_of_plans(settings: Settings) -> str | Path | None:
    """Where plans are kept (see `kept_at`); None: they are not.

    Raises:
        InvalidInput: the settings name neither a folder nor a server that can be spoken to.
    """
    return kept_at(settings.plans, settings, folder=FOLDER, variable=PLANS_VARIABLE)


@asynccontextmanager
async def plan_memory(
    settings: Settings, *, redactor: Redactor | None = None, embedding: Embedding | None = None
) -> AsyncIterator[PlanMemory | None]:
    """The memory of plans for a block of code; None where none are to be kept. Nothing is opened before it is needed.

    Vectors are made by `embedding`, left out by the embedding model where it has been pulled (none is ever fetched for
    this), and by words elsewhere. `redactor` knows this process's secrets: what holds one is not kept.

    Raises:
        InvalidInput: the place that is named for plans is none.
    """
    place = place_of_plans(settings)
    if place is None:
        yield None
        return
    from ..planner.memory.memory import PlanMemory

    async with AsyncExitStack() as stack:
        if embedding is None:
            embedding = await stack.enter_async_context(local_embedding(settings))
        # Beside a server too, so that keeping a plan waits for nobody.
        inbox = settings.home / FOLDER / "new.jsonl" if isinstance(place, str) else None
        memory = PlanMemory(place, partial(_likeness, embedding), inbox=inbox, redactor=redactor)
        stack.push_async_callback(memory.aclose)
        yield memory


@asynccontextmanager
async def local_embedding(settings: Settings) -> AsyncIterator[Embedding]:
    """The embedding model of this machine for a block of code, loaded at the first call where it has been pulled."""
    async with AsyncExitStack() as stack:
        opening = asyncio.Lock()
        found: list[Embed | None] = []

        async def given() -> Embed | None:
            async with opening:
                if not found:
                    found.append(await _pulled(settings, stack))
                return found[0]

        yield given


async def _pulled(settings: Settings, stack: AsyncExitStack) -> Embed | None:
    from ..runtime.errors import EngineError
    from .engines.models.embedding import LocalEmbedder, embedder_folder

    if not await asyncio.to_thread(embedder_folder(settings).is_dir):
        return None  # it is put there whole, once its hash has been found right
    embedder = LocalEmbedder(settings)
    stack.push_async_callback(embedder.aclose)

    async def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return (await embedder.embed(tuple(texts))).vectors

    try:
        await embed(("hello",))
    except EngineError:  # damaged: words serve, and `crewgraph doctor` tells of it
        return None
    return embed


async def _likeness(embedding: Embedding) -> Likeness:
    from ..planner.likeness import WORDS, Likeness, with_words
    from .engines.models.embedding import EMBEDDING_MODEL

    embed = await embedding()
    return WORDS if embed is None else with_words(Likeness(EMBEDDING_MODEL.name, embed, near=0.45, same=0.93))
