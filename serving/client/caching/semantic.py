"""Semantic: finding the reply to a question that was asked in other words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ....agents.model import ModelClient, ModelRequest
from ....runtime.errors import InvalidInput

if TYPE_CHECKING:
    from .vectors import Vectors

T = TypeVar("T")

_LONGEST = 2000
"""Characters: what is longer has no one meaning that a vector could hold."""
_SERVER_THREADS = 8


class Sought(NamedTuple):
    """A question as a vector in its collection, and the keys of replies to questions near it, nearest first."""

    collection: str
    vector: list[float]
    keys: list[str]


class Semantic:
    """Takes the reply to another question where that means the same: opt-in, for it can be wrong.

    Only the words of a request's last message, a user's, may differ, and no figure, denial or name (a capital within a
    sentence) among them; all else has to be equal: what stands before it, model, sampling, constraint, tenant. Never
    for requests with tools, for messages of more than 2,000 characters, or where `excludes` says so.

    `embedder` makes the vectors (with its model `model`); who made it closes it. `where` is ":memory:", a folder that one
    process at a time may use, or the URL of a Qdrant server. `threshold` is the least cosine of two questions that
    mean the same: it depends on the embedding model, and should be tried on questions of one's own. With
    all-MiniLM-L6-v2 the same in other words is mostly above 0.9, and so is "3 miles in km" beside "3 km in miles".
    The oldest of more than `max_entries` questions give way: a search in this process takes 2 ms a thousand, and a
    server takes many more.
    """

    def __init__(
        self,
        embedder: ModelClient,
        where: str | Path = ":memory:",
        *,
        threshold: float = 0.9,
        model: str | None = None,
        excludes: Callable[[ModelRequest], bool] | None = None,
        max_entries: int = 2_000,
    ) -> None:
        if not 0 < threshold <= 1:
            raise InvalidInput(f"A threshold of {threshold} is no cosine: name one above 0, up to 1.")
        self._embedder = embedder
        self._where = where
        self._threshold = threshold
        self._model = model
        self._excludes = excludes
        self._max_entries = max_entries
        local = "://" not in str(where)  # which may be used by one thread only
        self._threads = ThreadPoolExecutor(1 if local else _SERVER_THREADS, "crewgraph-semantic")
        self._vectors: Vectors | None = None
        self._opening = asyncio.Lock()

    def takes(self, request: ModelRequest) -> bool:
        """Whether this request may get the reply to another one."""
        last = request.messages[-1] if request.messages else None
        return (
            last is not None
            and last.role == "user"
            and not request.tools
            and 0 < len(last.content) <= _LONGEST
            and not (self._excludes is not None and self._excludes(request))
        )

    async def seek(self, request: ModelRequest, place: str) -> Sought:
        """What was asked in this place and means the same. Raises whatever embedder or index raise."""
        made = await self._embedder.embed((request.messages[-1].content,), model=self._model)
        vector = list(made.vectors[0])
        vectors = await self._opened()
        collection = vectors.collection(made.model or self._model or "", len(vector))
        keys = await self._apart(partial(vectors.nearest, collection, place, vector, self._threshold))
        return Sought(collection, vector, keys)

    async def remember(self, sought: Sought, place: str, key: str) -> None:
        """The reply under `key` answers the question that was sought."""
        vectors = await self._opened()
        await self._apart(partial(vectors.add, sought.collection, place, sought.vector, key))

    async def forget(self, sought: Sought, key: str) -> None:
        """The reply under `key` is there no more."""
        vectors = await self._opened()
        await self._apart(partial(vectors.forget, sought.collection, key))

    async def count(self) -> int:
        """How many questions are remembered."""
        vectors = await self._opened()
        return await self._apart(vectors.count)

    async def aclose(self) -> None:
        """Let go of the index. May be called again."""
        vectors, self._vectors = self._vectors, None
        if vectors is not None:
            await self._apart(vectors.close)
        await asyncio.to_thread(self._threads.shutdown)

    async def _opened(self) -> Vectors:
        async with self._opening:
            if self._vectors is None:
                self._vectors = await self._apart(self._open)
            return self._vectors

    def _open(self) -> Vectors:
        # Here, in its thread: Qdrant's client takes more than a second to import.
        from .vectors import Vectors

        return Vectors(self._where, self._max_entries)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
