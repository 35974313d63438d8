"""Index: memories as points of two Qdrant collections, one of words and one of meaning. Blocking.

Words (BM25) are always there and hold the entries; vectors of meaning stand beside them, in a collection of their
maker's name, for vectors of two makers have nothing to do with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...runtime.errors import StoreError
from ...tools.knowledge.vectors import asked, weighed
from ...tools.text import tokens
from .entry import NARROWINGS, Entry, Scope
from .ranking import Hit

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

COLLECTION = "crewgraph_memories"
_PAGE = 500
_AVERAGE = 12.0
"""Tokens of a memory: they are sentences, so the average of those that are kept need not be followed."""
_WORDS = "words"


class Index:
    """Memories of one tenant or of many, in Qdrant: `client` is a local one or a server's.

    `maker` names whoever makes vectors of meaning ("" for nobody), `size` is how many numbers they have. Of a `server`
    it is asked that it keeps lists of what memories are chosen by.
    """

    def __init__(
        self,
        client: QdrantClient,
        maker: str = "",
        size: int = 0,
        *,
        name: str = COLLECTION,
        server: bool = False,
    ) -> None:
        self._client = client
        self._server = server
        self._words = name
        self.maker = maker
        self._meaning = (
            f"{name}_{''.join(c if c.isalnum() or c in '-+.' else '_' for c in maker)}" if maker else ""
        )
        self._made = False
        self._size = size

    def put(self, entries: Sequence[Entry], vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep entries, each in the place of the one with its id, and vectors of those that have one. Raises `StoreError`."""
        from qdrant_client import models

        if not entries:
            return
        try:
            self._make()
            words, meant = [], []
            for entry in entries:
                payload = _payload(entry)
                weights = weighed(tokens(entry.words), _AVERAGE)
                sparse = models.SparseVector(indices=list(weights), values=list(weights.values()))
                words.append(models.PointStruct(id=entry.id, vector={_WORDS: sparse}, payload=payload))
                if (vector := vectors.get(entry.id)) is not None and len(vector) == self._size:
                    meant.append(models.PointStruct(id=entry.id, vector=list(vector), payload=_scope(entry)))
            self._client.upsert(self._words, words, wait=True)
            if meant and self._meaning:
                self._client.upsert(self._meaning, meant, wait=True)
        except Exception as error:  # the client has errors of many kinds
            raise _trouble(error) from error

    def remove(self, ids: Sequence[str]) -> None:
        """Take entries away, in every collection that holds something of them. Raises `StoreError`."""
        if not ids:
            return
        try:
            for name in self._collections():
                self._client.delete(name, points_selector=list(ids), wait=True)
        except Exception as error:
            raise _trouble(error) from error

    def get(self, ids: Sequence[str]) -> list[Entry]:
        """The entries of these ids that there are. Raises `StoreError`."""
        return (
            self._read(lambda: self._client.retrieve(self._words, list(ids), with_payload=True))
            if ids
            else []
        )

    def without_vector(self, ids: Sequence[str]) -> list[str]:
        """Those of the ids that have no vector of meaning yet. Raises `StoreError`."""
        if not self._meaning or not ids:
            return []
        try:
            self._make()
            known = self._client.retrieve(self._meaning, list(ids), with_payload=False)
        except Exception as error:
            raise _trouble(error) from error
        there = {str(point.id) for point in known}
        return [id_ for id_ in ids if id_ not in there]

    def by_words(self, query: Sequence[str], asker: Scope, limit: int) -> list[Hit]:
        """Entries that the asker may be told of, by the words of a query. Raises `StoreError`."""
        from qdrant_client import models

        weights = asked(query)
        if not weights:
            return []
        vector = models.SparseVector(indices=list(weights), values=list(weights.values()))
        return self._hits(self._words, vector, asker, limit, using=_WORDS)

    def by_meaning(self, vector: Sequence[float], asker: Scope, limit: int) -> list[Hit]:
        """Entries that the asker may be told of, by how near they are in meaning: a cosine. Raises `StoreError`."""
        if not self._meaning or not vector:
            return []
        near = self._hits(self._meaning, list(vector), asker, limit)
        whole = {entry.id: entry for entry in self.get([hit.entry.id for hit in near])}
        return [Hit(whole[hit.entry.id], hit.score) for hit in near if hit.entry.id in whole]

    def of_entity(self, entry: Entry) -> list[Entry]:
        """What has been told of the same attribute of the same thing, for the same scope. Raises `StoreError`."""
        subject, attribute = entry.about
        about = {"about_subject": subject, "about_attribute": attribute, **entry.scope.model_dump()}
        return self._all(self._filter(about))

    def entries(self, tenant: str | None = None) -> list[Entry]:
        """All that is kept (of one tenant, or of all). Raises `StoreError`."""
        return self._all(None if tenant is None else self._filter({"tenant": tenant}))

    def clear(self, tenant: str) -> None:
        """Take all away that one tenant has. Raises `StoreError`."""
        from qdrant_client import models

        mine = models.FilterSelector(filter=self._filter({"tenant": tenant}))
        try:
            for name in self._collections():
                self._client.delete(name, points_selector=mine, wait=True)
        except Exception as error:
            raise _trouble(error) from error

    def count(self) -> int:
        """How many memories there are, of all tenants. Raises `StoreError`."""
        try:
            self._make()
            return self._client.count(self._words, exact=True).count
        except Exception as error:
            raise _trouble(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _hits(
        self, collection: str, query: Any, asker: Scope, limit: int, using: str | None = None
    ) -> list[Hit]:
        try:
            self._make()
            found = self._client.query_points(
                collection,
                query=query,
                using=using,
                query_filter=_may_hear(asker),
                limit=limit,
                with_payload=True,
            )
        except Exception as error:
            raise _trouble(error) from error
        read = ((_entry(point.payload, str(point.id)), float(point.score)) for point in found.points)
        # Once more by our own hand: that nobody is told what is not for them hangs on no filter's way of reading.
        return [
            Hit(entry, score) for entry, score in read if entry is not None and entry.scope.told_to(asker)
        ]

    def _read(self, look: Any) -> list[Entry]:
        try:
            self._make()
            points = look()
        except Exception as error:
            raise _trouble(error) from error
        return [entry for point in points if (entry := _entry(point.payload, str(point.id))) is not None]

    def _all(self, chosen: models.Filter | None) -> list[Entry]:
        found: list[Entry] = []
        page: Any = None
        while True:

            def look() -> Any:
                nonlocal page
                points, page = self._client.scroll(
                    self._words, scroll_filter=chosen, limit=_PAGE, offset=page, with_payload=True
                )
                return points

            found += self._read(look)
            if page is None:
                return found

    def _filter(self, values: Mapping[str, str]) -> models.Filter:
        from qdrant_client import models

        return models.Filter(
            must=[models.FieldCondition(key=k, match=models.MatchValue(value=v)) for k, v in values.items()]
        )

    def _collections(self) -> list[str]:
        """All that hold memories, whoever made their vectors."""
        every = [found.name for found in self._client.get_collections().collections]
        return [name for name in every if name == self._words or name.startswith(self._words + "_")]

    def _make(self) -> None:
        from qdrant_client import models

        if self._made:
            return
        client = self._client
        if not client.collection_exists(self._words):
            sparse = {_WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)}
            client.create_collection(self._words, vectors_config={}, sparse_vectors_config=sparse)
            self._make_ready(self._words)
        if self._meaning and not client.collection_exists(self._meaning):
            dense = models.VectorParams(size=self._size, distance=models.Distance.COSINE)
            client.create_collection(self._meaning, vectors_config=dense)
            self._make_ready(self._meaning)
        self._made = True

    def _make_ready(self, collection: str) -> None:
        from qdrant_client import models

        if not self._server:
            return  # a local one looks at every point anyway
        for name in ("tenant", *NARROWINGS):
            self._client.create_payload_index(collection, name, models.PayloadSchemaType.KEYWORD)


def _may_hear(asker: Scope) -> models.Filter:
    from qdrant_client import models

    conditions: list[Any] = [
        models.FieldCondition(key="tenant", match=models.MatchValue(value=asker.tenant)),
        models.FieldCondition(key="held", match=models.MatchValue(value=True)),
    ]
    for name in NARROWINGS:
        allowed: list[Any] = list(dict.fromkeys(("", getattr(asker, name))))
        conditions.append(models.FieldCondition(key=name, match=models.MatchAny(any=allowed)))
    return models.Filter(must=conditions)


def _scope(entry: Entry) -> dict[str, Any]:
    """What a point is chosen by: its scope, and whether it holds (has not been superseded)."""
    return {**entry.scope.model_dump(), "held": not entry.superseded_by}


def _payload(entry: Entry) -> dict[str, Any]:
    subject, attribute = entry.about if entry.kind == "entity" else ("", "")
    about = {"about_subject": subject, "about_attribute": attribute}
    return {**_scope(entry), **about, "entry": entry.model_dump(mode="json")}


def _entry(payload: Any, id_: str) -> Entry | None:
    payload = payload or {}
    try:
        if "entry" in payload:
            return Entry.model_validate(payload["entry"])
        own = {name: payload.get(name, "") for name in ("tenant", *NARROWINGS)}
        return Entry.model_validate({"id": id_, "text": "", "scope": own})
    except ValidationError:  # of another version
        return None


def _trouble(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StoreError(
        f"The memories cannot be used ({said}): name another place in CREWGRAPH_MEMORY, or off."
    )
