"""A folder of documents and the tool that searches it: embedded Qdrant, lexical (BM25) sparse vectors, no torch."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, create_model

from ...runtime.errors import InvalidCrew
from ..text import language_of, tokens
from ..tool import Tool
from ..values import Passage, Passages
from .passages import read_folder
from .question import understand
from .quoting import window
from .vectors import dimension, weighed

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

QUERY = "query"
"""JSON-schema `format` of a parameter that takes the question in the user's own words."""

_COLLECTION = "passages"
_HEADING_WEIGHT = 2
_ALTERNATIVE = 0.5
_CANDIDATES = 50
_HEADING = 0.4
_NUMBER = 0.1
_MIN_COVER = 0.34


@dataclass(frozen=True)
class _Index:
    """The passages, their tokens, in how many passages each token stands, and the vectors in Qdrant."""

    client: QdrantClient
    passages: list[Passage]
    bags: list[frozenset[str]]
    held: Counter[str]
    han: bool

    def rarity(self, token: str) -> float:
        """Inverse document frequency, as BM25 has it; a word that no passage holds weighs most."""
        n = self.held[token]
        return math.log(1 + (len(self.passages) - n + 0.5) / (n + 0.5))


@dataclass
class Documents:
    """The text files (.md, .txt, .rst) under a folder, searchable. Read and indexed at the first search.

    Raises:
        InvalidCrew: the folder is not there or holds no text.
    """

    folder: Path
    about: str = ""
    name: str = "search_documents"
    _index: _Index | None = field(default=None, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        if not self.folder.is_dir():
            raise InvalidCrew(f"The folder of documents {self.folder} does not exist.")

    async def search(self, query: str, limit: int = 4) -> Passages:
        """The passages that fit a question best, best first, each with the words to quote.

        None where the documents speak of less than a third of what is asked.
        """
        async with self._lock:
            if self._index is None:
                self._index = await asyncio.to_thread(self._build)
        return await asyncio.to_thread(_search, self._index, query, limit)

    def _build(self) -> _Index:
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
        for number, bag in enumerate(bags):
            weights = weighed(bag, mean)
            vector = models.SparseVector(indices=list(weights), values=list(weights.values()))
            points.append(models.PointStruct(id=number, vector={"words": vector}))
        client.upsert(_COLLECTION, points)
        held = Counter(token for bag in bags for token in set(bag))
        return _Index(
            client, found, [frozenset(b) for b in bags], held, any(language_of(p.text) == "zh" for p in found)
        )

    def tools(self) -> list[Tool]:
        """The search tool over these documents."""
        fields: dict[str, Any] = {
            "query": (
                Annotated[str, Field(min_length=1, max_length=2000, json_schema_extra={"format": QUERY})],
                Field(description="The question."),
            ),
            "limit": (int, Field(4, ge=1, le=20, description="How many passages to return.")),
        }
        model = create_model("search_arguments", __config__=ConfigDict(extra="forbid"), **fields)
        text = f"Search the documents in {self.folder.name} for passages that answer a question. {self.about}".strip()
        return [Tool(self.name, text, model, Passages, self.search)]


def _search(index: _Index, query: str, limit: int) -> Passages:
    """BM25 finds the candidates; how much of the question each speaks of puts them in order."""
    from qdrant_client import models

    question = understand(query, index.rarity, han=index.han)
    asked = {
        dimension(t): (1.0 if len(c.alternatives) == 1 else _ALTERNATIVE)
        for c in question.concepts
        for t in c.alternatives
    }
    if not asked:
        return Passages(query=query, passages=[])
    vector = models.SparseVector(indices=list(asked), values=list(asked.values()))
    hits = index.client.query_points(_COLLECTION, query=vector, using="words", limit=_CANDIDATES).points
    best = max((hit.score for hit in hits), default=0.0)
    scored: list[tuple[float, float, int]] = []
    for hit in hits:
        number = int(hit.id)
        passage, cover = index.passages[number], question.cover(set(index.bags[number]))
        heading = question.cover(set(tokens(passage.heading.split(" › ")[-1])))
        digits = _NUMBER if question.asks_number and any(c.isdigit() for c in passage.text) else 0.0
        scored.append((hit.score / best + cover + _HEADING * heading + digits, cover, number))
    scored.sort(reverse=True)
    kept = [(score, n) for score, cover, n in scored[:limit] if cover >= _MIN_COVER]
    return Passages(
        query=query,
        passages=[
            index.passages[n].model_copy(
                update={"score": round(score, 4), "quote": window(index.passages[n].text, question)}
            )
            for score, n in kept
        ],
    )
