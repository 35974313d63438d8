"""Owns where agents' long-term memories are kept for this user, and what makes the vectors of their meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .keeping import kept_at
from .settings import MEMORY_VARIABLE, Settings

if TYPE_CHECKING:
    from ..agents.memory.memory import Meaning, Memory
    from ..runtime.journalling.redaction import Redactor
    from .planmemory import Embedding

FOLDER = "memory"


def place_of_memories(settings: Settings) -> str | Path | None:
    """Where memories are kept (see `kept_at`); None: they are not.

    Raises:
        InvalidInput: the settings name neither a folder nor a server that can be spoken to.
    """
    return kept_at(settings.memory, settings, folder=FOLDER, variable=MEMORY_VARIABLE)


@asynccontextmanager
async def remembering(
    settings: Settings, *, redactor: Redactor | None = None, embedding: Embedding | None = None
) -> AsyncIterator[Memory | None]:
    """The memory of this user's agents for a block of code; None where none is kept. Nothing is opened before it is needed.

    Vectors of meaning are made by `embedding`, left out by the embedding model where it has been pulled (none is ever
    fetched for this); elsewhere recall goes by words alone. `redactor` knows this process's secrets.

    Raises:
        InvalidInput: the place that is named for memories is none.
    """
    place = place_of_memories(settings)
    if place is None:
        yield None
        return
    from ..agents.memory.memory import Memory

    async with AsyncExitStack() as stack:
        if embedding is None:
            from .planmemory import local_embedding

            embedding = await stack.enter_async_context(local_embedding(settings))
        memory = Memory(place, meaning_of(embedding), redactor=redactor)
        stack.push_async_callback(memory.aclose)
        yield memory


def meaning_of(embedding: Embedding) -> Callable[[], Awaitable[Meaning | None]]:
    """The local embedding model as a `Memory` takes it: asked for when it is first needed."""

    async def given() -> Meaning | None:
        from ..agents.memory.memory import Meaning
        from .engines.models.embedding import EMBEDDING_MODEL

        embed = await embedding()
        return Meaning(EMBEDDING_MODEL.name, embed) if embed is not None else None

    return given
