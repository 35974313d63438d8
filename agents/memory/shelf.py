"""Shelf: where memories lie, and how they are kept, found and taken away. Blocking, and used by one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from ...runtime.errors import StoreError
from ...tools.text import tokens
from .deciding import decided
from .entry import Entry, Scope
from .index import Index
from .ledger import Changes, Ledger
from .ranking import Hit

T = TypeVar("T")
Vectors = Mapping[str, Sequence[float]]

_LOOKED_AT = 50
_NEIGHBOURS = 8
_FULL = 0.9


class Found(NamedTuple):
    """What was found for a question, and which of a tenant's memories have no vector of meaning yet."""

    by_words: list[Hit]
    by_meaning: list[Hit]


class Shelf:
    """Memories of one tenant over its `ledger`, which other processes write too, or without one of all tenants.

    `make` gives an empty index. At most `most` memories: those of which least is left give way. Every method raises
    `StoreError` where the memories cannot be read or written.
    """

    def __init__(self, make: Callable[[], Index], ledger: Ledger | None, most: int) -> None:
        self._make = make
        self._index = make()
        self._ledger = ledger
        self._most = most
        self._gone: set[str] = set()
        self._meant: set[str] = set()  # those that have a vector of meaning
        self._bare: dict[str, Entry] = {}  # those that have none yet
        self._looked = (
            ledger is not None
        )  # a server may hold what was kept without vectors: that is looked for once

    def keep(self, entries: Sequence[Entry], vectors: Vectors) -> list[Entry]:
        """Each as the memory that now says it. What is known already, or was forgotten, is not kept again."""
        with self._alone():
            return [made for entry in entries if (made := self._keep(entry, vectors)) is not None]

    def find(self, query: str, vector: Sequence[float], asker: Scope, limit: int) -> Found:
        """What the asker may be told that has to do with a question."""
        self._refresh()
        limit = max(limit, _LOOKED_AT)
        words = self._index.by_words(tokens(query), asker, limit)
        return Found(words, self._index.by_meaning(vector, asker, limit))

    def without_vector(self, most: int) -> list[Entry]:
        """Memories that whoever makes vectors has not seen yet, at most so many."""
        if not self._index.maker:
            return []
        self._refresh()
        if not self._looked:
            every = {entry.id: entry for entry in self._index.entries() if not entry.superseded_by}
            self._bare = {id_: every[id_] for id_ in self._index.without_vector(list(every))}
            self._looked = True
        return list(self._bare.values())[:most]

    def add_vectors(self, vectors: Vectors) -> None:
        """Vectors of memories that had none."""
        with self._alone():
            there = self._index.get(list(vectors))
            own = {entry.id: vectors[entry.id] for entry in there}
            if own:
                self._write(there, own)

    def entries(self, tenant: str) -> list[Entry]:
        """All that one tenant has."""
        self._refresh()
        return self._index.entries(tenant)

    def every(self) -> list[Entry]:
        """All that is kept here, of whichever tenant."""
        self._refresh()
        return self._index.entries()

    def forget(self, gone: Callable[[Entry], bool], tenant: str) -> list[Entry]:
        """Take those of a tenant's memories away for which this says so; which. Their bytes leave the file."""
        with self._alone():
            found = [entry for entry in self._index.entries(tenant) if gone(entry)]
            self._take_away([entry.id for entry in found])
        return found

    def clear(self, tenant: str) -> int:
        """Take all away that a tenant has; how many there were."""
        with self._alone():
            count = len(self._index.entries(tenant))
            if self._ledger is not None:
                self._ledger.remove()
                self._refresh()
            else:
                self._index.clear(tenant)
            return count

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def _keep(self, new: Entry, vectors: Vectors) -> Entry | None:
        if new.id in self._gone or (self._ledger is not None and new.id in self._ledger.gone):
            return None
        known = next(iter(self._index.get([new.id])), None)
        like: list[tuple[Entry, float]] = []
        if known is None and new.kind != "entity":
            near = self._index.by_meaning(vectors.get(new.id, ()), new.scope, _NEIGHBOURS)
            cosines = {hit.entry.id: hit.score for hit in near}
            words = self._index.by_words(tokens(new.words), new.scope, _NEIGHBOURS)
            every = {hit.entry.id: hit.entry for hit in (*words, *near)}
            like = [(entry, cosines.get(entry.id, 0.0)) for entry in every.values()]
        told = self._index.of_entity(new) if known is None and new.kind == "entity" else []
        decision = decided(new, known, like, told)
        if decision.put:
            own = {entry.id: vectors[entry.id] for entry in decision.put if entry.id in vectors}
            self._write(decision.put, own)
            self._bound()
        return decision.entry

    def _write(self, entries: Sequence[Entry], vectors: Vectors) -> None:
        if self._ledger is None:
            self._put(entries, vectors)
            return
        maker = self._index.maker
        packed = {id_: (maker, tuple(vector)) for id_, vector in vectors.items()} if maker else {}
        self._ledger.append(Changes(put=list(entries), vectors=packed))
        self._refresh()

    def _put(self, entries: Sequence[Entry], vectors: Vectors) -> None:
        self._index.put(entries, vectors)
        self._meant.update(vectors)
        for entry in entries:
            if entry.id in self._meant or entry.superseded_by:
                self._bare.pop(entry.id, None)
            else:
                self._bare[entry.id] = entry

    def _take_away(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        if self._ledger is not None:
            self._ledger.rewrite(ids)
        self._gone.update(ids)
        self._index.remove(ids)
        for id_ in ids:
            self._bare.pop(id_, None)

    def _bound(self) -> None:
        if self._index.count() > self._most:
            now = time.time()
            every = sorted(self._index.entries(), key=lambda e: (e.current(now), e.strength(now), e.at))
            self._take_away([entry.id for entry in every[: len(every) - int(self._most * _FULL)]])
        elif self._ledger is not None and self._ledger.crowded(self._index.count()):
            self._ledger.rewrite()

    def _refresh(self) -> None:
        """Take in what others have written meanwhile."""
        if self._ledger is None:
            return
        try:
            changes = self._ledger.read()
        except OSError as error:
            raise _unreadable(error) from error
        if changes.anew:
            self._index.close()
            self._index = self._make()
            self._meant.clear()
            self._bare.clear()
        latest = {entry.id: entry for entry in changes.put}
        for id_ in changes.gone:
            latest.pop(id_, None)
        own = {id_: vector for id_, (of, vector) in changes.vectors.items() if of == self._index.maker}
        self._put(list(latest.values()), own)
        self._index.remove(changes.gone)
        for id_ in changes.gone:
            self._bare.pop(id_, None)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._ledger is None:
            yield
            return
        try:
            with self._ledger.alone():
                self._refresh()
                yield
        except OSError as error:
            raise _unreadable(error) from error


def _unreadable(error: OSError) -> StoreError:
    return StoreError(
        f"The memories in {error.filename or 'their folder'} cannot be read or written ({error.strerror or error}): "
        "free space or rights there, or name another place in CREWGRAPH_MEMORY, or off."
    )
