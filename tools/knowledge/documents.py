"""A folder of documents and the tool that searches it: embedded Qdrant, lexical (BM25) sparse vectors, no torch.

BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009); k1 and b as there.
Term weights are in the stored vectors, inverse document frequencies come from Qdrant's IDF modifier.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, create_model

from ...runtime.errors import InvalidCrew
from ..text import tokens
from ..tool import Tool
from ..values import Passage, Passages
from .passages import read_folder

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

QUERY = "query"
"""JSON-schema `format` of a parameter that takes the question in the user's own words."""

_K1, _B = 1.2, 0.75
_COLLECTION = "passages"
_HEADING_WEIGHT = 2


def _dimension(token: str) -> int:
    """Qdrant's sparse dimensions are numbers; 32 bits make a collision between two words of a corpus unlikely."""
    return zlib.crc32(token.encode())


@dataclass
class Documents:
    """The text files (.md, .txt, .rst) under a folder, searchable. Read and indexed at the first search.

    Raises:
        InvalidCrew: the folder is not there or holds no text.
    """

    folder: Path
    about: str = ""
    name: str = "search_documents"
    _client: QdrantClient | None = field(default=None, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        if not self.folder.is_dir():
            raise InvalidCrew(f"The folder of documents {self.folder} does not exist.")

    async def search(self, query: str, limit: int = 4) -> Passages:
        """The passages that fit a question best, best first; none where no word of it occurs."""
        async with self._lock:
            if self._client is None:
                self._client = await asyncio.to_thread(self._index)
        return await asyncio.to_thread(self._search, self._client, query, limit)

    def _index(self) -> QdrantClient:
        from qdrant_client import QdrantClient, models

        found = read_folder(self.folder)
        if not found:
            raise InvalidCrew(f"The folder {self.folder} holds no .md, .txt or .rst file to search.")
        bags = [tokens(p.heading) * _HEADING_WEIGHT + tokens(p.text) for p in found]
        mean = sum(map(len, bags)) / len(bags) or 1.0
        client = QdrantClient(":memory:")
        client.create_collection(
            _COLLECTION,
            vectors_config={},
            sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        points = []
        for number, (passage, bag) in enumerate(zip(found, bags, strict=True)):
            scale = _K1 * (1 - _B + _B * len(bag) / mean)
            weights = {_dimension(t): n * (_K1 + 1) / (n + scale) for t, n in Counter(bag).items()}
            vector = models.SparseVector(indices=list(weights), values=list(weights.values()))
            points.append(models.PointStruct(id=number, vector={"words": vector}, payload=passage.model_dump(exclude={"score"})))
        client.upsert(_COLLECTION, points)
        return client

    def _search(self, client: QdrantClient, query: str, limit: int) -> Passages:
        from qdrant_client import models

        asked = list(dict.fromkeys(map(_dimension, tokens(query))))
        if not asked:
            return Passages(query=query, passages=[])
        vector = models.SparseVector(indices=asked, values=[1.0] * len(asked))
        hits = client.query_points(_COLLECTION, query=vector, using="words", limit=limit, with_payload=True).points
        passages = [Passage(**(hit.payload or {}), score=round(hit.score, 4)) for hit in hits if hit.score > 0]
        return Passages(query=query, passages=passages)

    def tools(self) -> list[Tool]:
        """The search tool over these documents."""
        fields: dict[str, Any] = {
            "query": (Annotated[str, Field(min_length=1, max_length=2000, json_schema_extra={"format": QUERY})], Field(description="The question.")),
            "limit": (int, Field(4, ge=1, le=20, description="How many passages to return.")),
        }
        model = create_model("search_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        text = f"Search the documents in {self.folder.name} for passages that answer a question. {self.about}".strip()
        return [Tool(self.name, text, model, Passages, self.search)]
