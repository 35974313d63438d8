"""Owns where agents' long-term memories are kept for this user, and what makes the vectors of their meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime.errors import InvalidInput
from .settings import MEMORY_VARIABLE, Settings

if TYPE_CHECKING:
    from ..agents.memory.memory import Meaning, Memory
    from ..runtime.journalling.redaction import Redactor
    from .planmemory import Embedding

FOLDER = "memory"
_OFF = frozenset({"off", "no", "none", "0"})


def place_of_memories(settings: Settings) -> str | Path | None:
    """Where memories are kept: what the settings name (a folder or the URL of a Qdrant server), else `memory` in the home
    folder. None where they say off, and where what is kept is to be encrypted and they name nothing: memories are not.

    Raises:
        InvalidInput: it names neither a folder nor a server that can be spoken to.
    """
    named = (settings.memory or "").strip()
    if named.lower() in _OFF:
        return None
    if not named:
        return None if settings.database_keys else settings.home / FOLDER
    if "://" not in named:
        return Path(named).expanduser()
    if not named.startswith(("http://", "https://")):
        raise InvalidInput(
            f"{MEMORY_VARIABLE}={named!r} is no place for memories: name a folder, the URL of a Qdrant server "
            "(http://host:6333), or off."
        )
    return named


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
