"""Index: plans that worked as points of a Qdrant collection, found by the vectors of their requests. Blocking."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from ...runtime.errors import StoreError
from .entry import Entry

_PREFIX = "crewgraph_plans_"
_PAGE = 500
_LOCK = "in-use.lock"


class Near(NamedTuple):
    """An entry, and how near its request is to the one that was asked for: a cosine."""

    entry: Entry
    likeness: float


class Index:
    """The entries of one likeness, in a collection of its name: vectors of two have nothing to do with each other.

    `where` is ":memory:", a folder, which one process at a time may have open, or the URL of a server.

    Raises:
        StoreError: another process has the folder open, or it (or the server) cannot be used.
    """

    def __init__(self, where: str | Path, likeness: str) -> None:
        self.local = "://" not in str(where)
        self._where = where
        # Before the client is loaded, which takes its time, and leaves a file open where it cannot have the folder.
        self._lock = _locked(Path(where)) if self.local and str(where) != ":memory:" else None
        try:
            from qdrant_client import QdrantClient

            if not self.local:
                self._client = QdrantClient(url=str(where), check_compatibility=False)
            elif str(where) == ":memory:":
                self._client = QdrantClient(":memory:")
            else:
                self._client = QdrantClient(path=str(where))
            self._known = {found.name for found in self._client.get_collections().collections}
        except Exception as error:  # the client has errors of many kinds
            self._unlock()
            raise self._trouble(error) from error
        self._collection = _PREFIX + "".join(c if c.isalnum() or c in "-+." else "_" for c in likeness)

    def nearest(
        self, vector: Sequence[float], *, tenant: str, crew: str, limit: int, least: float
    ) -> list[Near]:
        """Entries of this tenant and crew that are so near at least, nearest first. Raises `StoreError`."""
        from qdrant_client import models

        if not self._there:
            return []
        own = [
            models.FieldCondition(key=name, match=models.MatchValue(value=value))
            for name, value in (("tenant", tenant), ("crew", crew))
        ]
        try:
            found = self._client.query_points(
                self._collection,
                query=list(vector),
                query_filter=models.Filter(must=list(own)),
                limit=limit,
                score_threshold=least,
                with_payload=True,
            )
        except Exception as error:
            raise self._trouble(error) from error
        read = ((_read(point.payload), point.score) for point in found.points)
        return [Near(entry, score) for entry, score in read if entry is not None]

    def put(self, entry: Entry, vector: Sequence[float]) -> None:
        """Keep an entry; it takes the place of the one with the same id. Raises `StoreError`."""
        from qdrant_client import models

        try:
            if self._collection not in self._known:
                self._make(len(vector))
            point = models.PointStruct(
                id=entry.id, vector=list(vector), payload=entry.model_dump(mode="json")
            )
            self._client.upsert(self._collection, [point], wait=True)
        except Exception as error:
            raise self._trouble(error) from error

    def count(self, entry: Entry) -> None:
        """Keep how often an entry has worked and failed. Raises `StoreError`."""
        changed = {"worked": entry.worked, "failed": entry.failed, "run_id": entry.run_id, "at": entry.at}
        try:
            self._client.set_payload(self._collection, changed, points=[entry.id], wait=True)
        except Exception as error:
            raise self._trouble(error) from error

    def remove(self, ids: Sequence[str]) -> None:
        """Take entries away. Raises `StoreError`."""
        if not ids or not self._there:
            return
        try:
            self._client.delete(self._collection, points_selector=list(ids), wait=True)
        except Exception as error:
            raise self._trouble(error) from error

    def entries(self) -> list[Entry]:
        """All that is kept. Raises `StoreError`."""
        return self._all(self._collection) if self._there else []

    def moved(self) -> list[Entry]:
        """The entries of other likenesses, which are then no longer kept: whoever takes them puts them in again.

        Of a server none are: others use it, and tell likeness in their own way. Raises `StoreError`.
        """
        others = [n for n in self._known if n.startswith(_PREFIX) and n != self._collection]
        if not self.local:
            return []
        found = [entry for name in others for entry in self._all(name)]
        for name in others:
            self._client.delete_collection(name)
            self._known.discard(name)
        return found

    def close(self) -> None:
        """Let go of the folder or the connection."""
        self._client.close()
        self._unlock()

    @property
    def _there(self) -> bool:
        """Whether anything has been kept yet; on a server somebody else may have."""
        if self._collection in self._known or self.local:
            return self._collection in self._known
        try:
            if self._client.collection_exists(self._collection):
                self._known.add(self._collection)
        except Exception as error:
            raise self._trouble(error) from error
        return self._collection in self._known

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _all(self, collection: str) -> list[Entry]:
        found: list[Entry] = []
        page: Any = None
        try:
            while True:
                points, page = self._client.scroll(collection, limit=_PAGE, offset=page, with_payload=True)
                found += [entry for point in points if (entry := _read(point.payload)) is not None]
                if page is None:
                    return found
        except Exception as error:
            raise self._trouble(error) from error

    def _make(self, size: int) -> None:
        from qdrant_client import models

        if not self._client.collection_exists(self._collection):
            self._client.create_collection(
                self._collection,
                vectors_config=models.VectorParams(size=size, distance=models.Distance.COSINE),
            )
            if not self.local:
                for name in ("tenant", "crew"):
                    self._client.create_payload_index(
                        self._collection, name, models.PayloadSchemaType.KEYWORD
                    )
        self._known.add(self._collection)

    def _trouble(self, error: Exception) -> StoreError:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return StoreError(
            f"The kept plans in {self._where} cannot be used ({said}): name another place in CREWGRAPH_PLANS, or off."
        )


def _locked(folder: Path) -> int:
    """The folder for this process alone, until the descriptor is closed.

    Raises:
        StoreError: another process has it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"Plans cannot be kept in {folder} ({error.strerror or error}): free space or rights there, "
            "or set CREWGRAPH_PLANS to another folder, or to off."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(
            f"The kept plans in {folder} are in use by another process: they are read when it has ended."
        ) from None
    return descriptor


def _read(payload: Any) -> Entry | None:
    try:
        return Entry.model_validate(payload or {})
    except ValidationError:  # of another version
        return None
