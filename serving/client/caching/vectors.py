"""Vectors: what was asked before, as points in a Qdrant collection, each with the key of the reply to it. Blocking."""

from __future__ import annotations

import time
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

_PREFIX = "crewgraph_replies_"
_LOOKED_AT = 4
"""Of the points that are near enough, so many may have lost their reply before no reply is found."""
_LOOKED_AT_LOCALLY = 64
"""Points of all places together. Where more are nearer than the one that is meant, it is a miss."""
_CHECKED_EVERY = 256
_KEPT = 0.9
_PAGE = 1000


class Vectors:
    """One collection for each embedding model: `where` is ":memory:", a folder, or the URL of a server.

    At most `max_entries` points; the oldest give way.
    """

    def __init__(self, where: str | Path, max_entries: int) -> None:
        from qdrant_client import QdrantClient

        self.local = "://" not in str(where)
        if not self.local:
            self._client = QdrantClient(url=str(where), check_compatibility=False)
        elif str(where) == ":memory:":
            self._client = QdrantClient(":memory:")
        else:
            self._client = QdrantClient(path=str(where))
        self._max_entries = max_entries
        self._ready: set[str] = set()
        self._since_check = 0

    @staticmethod
    def collection(model: str, size: int) -> str:
        """The collection of an embedding model: vectors of two models have nothing to do with each other."""
        return _PREFIX + sha256(f"{model}/{size}".encode()).hexdigest()[:16]

    def nearest(self, collection: str, place: str, vector: list[float], threshold: float) -> list[str]:
        """Keys of replies in this place whose question is at least so near, nearest first."""
        from qdrant_client import models

        self._make(collection, len(vector))
        here = models.Filter(must=[models.FieldCondition(key="place", match=models.MatchValue(value=place))])
        found = self._client.query_points(
            collection,
            query=vector,
            # In this process a filter is asked of every point, in Python: six times the cost of the search itself.
            query_filter=None if self.local else here,
            limit=_LOOKED_AT_LOCALLY if self.local else _LOOKED_AT,
            score_threshold=threshold,
            with_payload=["key", "place"],
        )
        payloads = [point.payload or {} for point in found.points]
        return [str(payload["key"]) for payload in payloads if payload["place"] == place][:_LOOKED_AT]

    def add(self, collection: str, place: str, vector: list[float], key: str) -> None:
        """Remember that the reply under `key` answers this question. The same key again takes the old one's place."""
        from qdrant_client import models

        self._make(collection, len(vector))
        payload = {"place": place, "key": key, "at": time.time()}
        self._client.upsert(
            collection, [models.PointStruct(id=_id_of(key), vector=vector, payload=payload)], wait=True
        )
        self._since_check += 1
        if self._since_check >= min(_CHECKED_EVERY, max(1, self._max_entries // 10)):
            self._since_check = 0
            self._bound(collection)

    def forget(self, collection: str, key: str) -> None:
        """Take away the point of a reply that is there no more."""
        self._client.delete(collection, points_selector=[_id_of(key)])

    def count(self) -> int:
        """How many points there are, for all embedding models together."""
        names = [found.name for found in self._client.get_collections().collections]
        return sum(self._client.count(name).count for name in names if name.startswith(_PREFIX))

    def close(self) -> None:
        """Let go of the folder or the connection."""
        self._client.close()

    def _make(self, collection: str, size: int) -> None:
        if collection in self._ready:
            return
        from qdrant_client import models

        if not self._client.collection_exists(collection):
            self._client.create_collection(
                collection, vectors_config=models.VectorParams(size=size, distance=models.Distance.COSINE)
            )
            if not self.local:
                self._client.create_payload_index(collection, "place", models.PayloadSchemaType.KEYWORD)
        self._ready.add(collection)

    def _bound(self, collection: str) -> None:
        if self._client.count(collection).count <= self._max_entries:
            return
        points: list[tuple[float, Any]] = []
        page: Any = None
        while True:
            found, page = self._client.scroll(collection, limit=_PAGE, offset=page, with_payload=["at"])
            points += [(float((point.payload or {}).get("at", 0)), point.id) for point in found]
            if page is None:
                break
        points.sort(key=lambda point: point[0])
        gone = [which for _, which in points[: len(points) - int(self._max_entries * _KEPT)]]
        self._client.delete(collection, points_selector=gone)


def _id_of(key: str) -> str:
    return str(uuid.UUID(hex=key[:32]))
