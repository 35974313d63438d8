"""Memory: what agents were told and what happened, over runs: remembered, recalled within its scope, really forgotten."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...runtime.errors import EngineError, InvalidInput, StoreError
from ...runtime.journalling.redaction import REDACTED, Redactor
from ...tools.text import tokens
from .entry import LONGEST, Entry, Kind, Provenance, Scope, id_of, plain
from .ledger import Ledger, tenant_of, tenants_in
from .ranking import Hit, Recalled, cover, ranked
from .recollection import Recollection

if TYPE_CHECKING:
    from ...tools.knowledge.vectors import Embed
    from ...tools.tool import Tool
    from .index import Index
    from .shelf import Shelf, Vectors

T = TypeVar("T")

_OPEN = 64
"""Tenants whose memories are held ready at a time, of a folder."""
_AT_ONCE = 32
"""Memories without a vector that get one at a look: each takes some 5 ms, and whoever looks waits for it."""
_SECRET = re.compile(
    r"\b(?:pass ?(?:word|phrase|code)|passwd|my pin|pin (?:code|number)|secret key|api key|access token|private key|cvv)"
    r"\b.{0,40}?(?:\bis\b|=|:)|(?:密码|口令|验证码|密钥|私钥).{0,10}?(?:是|为|=|:|：)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Who makes vectors of meaning: its name, which tells its vectors from those of all others, and how."""

    name: str
    embed: Embed


class Memory:
    """Long-term memory: `where` is ":memory:", a folder, or the URL of a Qdrant server.

    Recall goes by words (BM25, English and Chinese) always, and by meaning as well where `meaning` is given, or a
    function that gives it when it is first needed (None: there is none). Nothing is asked of anybody outside of this
    machine but the server that `where` names. A folder holds one file for each tenant, which any number of processes read
    and write at once; nothing is opened before it is needed.

    `crew` narrows it to one crew: what is remembered through it is told to that crew only. `redactor` knows this process's
    secrets: they are taken out of all that is kept, and what says a password in words is not kept at all. At most `most`
    memories a tenant (on a server: in all): those of which least is left give way.

    Given to a crew or an agent among its tools, it is the two tools `recall` and `remember`.
    """

    def __init__(
        self,
        where: str | Path = ":memory:",
        meaning: Meaning | Callable[[], Awaitable[Meaning | None]] | None = None,
        *,
        crew: str = "",
        redactor: Redactor | None = None,
        most: int = 10_000,
    ) -> None:
        self.where = where
        self.crew = crew
        self._folder = (
            Path(where).expanduser() if "://" not in str(where) and str(where) != ":memory:" else None
        )
        self._meaning = meaning
        self._size = 0
        self._redactor = redactor or Redactor()
        self._most = most
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._tools: dict[bool, tuple[Tool, ...]] = {}
        self._thread = ThreadPoolExecutor(1, "crewgraph-memory")

    async def remember(
        self,
        text: str,
        *,
        kind: Kind = "fact",
        about: tuple[str, str, str] | None = None,
        scope: Scope | None = None,
        said: Provenance | None = None,
        confidence: float = 1.0,
        expires: float | None = None,
        key: str = "",
    ) -> Entry | None:
        """Keep something; the memory that now says it, or None where it may not be kept or was forgotten before.

        What is known already in nearly the same words is not kept twice. `about` is what an entity fact tells: a subject,
        an attribute, a value; another value for both takes the place of the one before, which stays as history. The same
        `key` always means the same remembering, however often a run is taken up again.

        Raises:
            InvalidInput: it is empty, or longer than 2,000 characters.
            StoreError: the memories cannot be written.
        """
        subject, attribute, value = about or ("", "", "")
        entry = Entry(
            text=text,
            kind="entity" if about else kind,
            scope=scope or Scope(),
            provenance=((said or Provenance()).model_copy(update={"key": key}),),
            confidence=confidence,
            expires=expires,
            subject=subject,
            attribute=attribute,
            value=value,
        )
        return next(iter(await self.keep([entry])), None)

    async def keep(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep several, as `remember` does one; the memories that now say them, without those that may not be kept."""
        clean = [made for entry in entries if (made := self._clean(entry)) is not None]
        if not clean:
            return []
        vectors = await self._vectors([entry.words for entry in clean])
        own = {entry.id: vector for entry, vector in zip(clean, vectors, strict=False)}
        found: list[Entry] = []
        for tenant in dict.fromkeys(entry.scope.tenant for entry in clean):
            mine = [entry for entry in clean if entry.scope.tenant == tenant]
            found += await self._apart(partial(self._kept_here, tenant, mine, own))
        return found

    async def recall(
        self,
        query: str,
        asker: Scope | None = None,
        *,
        limit: int = 5,
        at_least: float = 0.0,
        kinds: Sequence[Kind] = (),
    ) -> Recollection:
        """What the asker may be told that has to do with a question, best first; of these `kinds` (left out: of all).

        Raises:
            StoreError: the memories cannot be read.
        """
        asker = self._narrowed(asker or Scope())
        if not query.strip() or not self._kept(asker.tenant):
            return Recollection(query=query)
        query = query[:LONGEST]
        vector = next(iter(await self._vectors([query])), ())
        await self._catch_up(asker.tenant)
        found = await self._apart(lambda: self._shelf(asker.tenant).find(query, vector, asker, limit * 4))
        every = ranked(query, found.by_words, found.by_meaning, now=time.time(), at_least=at_least)
        chosen = [one for one in every if not kinds or one.entry.kind in kinds]
        return Recollection(query=query, found=tuple(chosen[:limit]))

    async def history(self, subject: str, attribute: str, asker: Scope | None = None) -> list[Entry]:
        """All values that one attribute of one thing has had, as far as the asker may be told, the latest first."""
        asker = self._narrowed(asker or Scope())
        about = plain(subject), plain(attribute)
        every = await self.entries(asker.tenant)
        mine = [e for e in every if e.kind == "entity" and e.about == about and e.scope.told_to(asker)]
        return sorted(mine, key=lambda entry: (not entry.superseded_by, entry.at), reverse=True)

    async def entries(self, tenant: str | None = None) -> list[Entry]:
        """All that is kept (of one tenant, or of all), newest first. Raises `StoreError`: it cannot be read."""
        found: list[Entry] = []
        for one in [tenant] if tenant is not None else await self.tenants():
            if self._kept(one):
                found += await self._apart(partial(self._entries_of, one))
        return sorted(found, key=lambda entry: entry.at, reverse=True)

    async def search(self, query: str, tenant: str | None = None) -> list[Entry]:
        """What has to do with a query, by its words, whoever it is for, best first: for whoever keeps the memories.

        Never for an agent: see `recall`. Raises `StoreError`: it cannot be read.
        """
        asked = list(dict.fromkeys(tokens(query)))
        hits = [Hit(entry, cover(asked, tokens(entry.words))) for entry in await self.entries(tenant)]
        return [one.entry for one in ranked(query, hits, (), now=time.time())]

    async def tenants(self) -> list[str]:
        """Who has memories. Raises `StoreError`: they cannot be read."""
        return await self._apart(self._all_tenants)

    async def forget(self, *ids: str, tenant: str | None = None) -> list[str]:
        """Take memories away for good; the ids of all that are gone.

        An entity fact takes along the values whose place it has taken. A folder's file is written anew without them.

        Raises:
            StoreError: they cannot be reached now.
        """
        every = await self.entries(tenant)
        gone = set(ids)
        while more := {entry.id for entry in every if entry.superseded_by in gone} - gone:
            gone |= more
        return await self._forgotten(lambda entry: entry.id in gone, tenant)

    async def forget_about(
        self,
        query: str,
        asker: Scope | None = None,
        *,
        confirm: Callable[[Sequence[Recalled]], Awaitable[bool]],
        limit: int = 20,
    ) -> list[str]:
        """Take away what is recalled for a query, where `confirm` says yes to the list of it; the ids of what is gone."""
        found = (await self.recall(query, asker, limit=limit)).found
        if not found or not await confirm(found):
            return []
        return await self.forget(*(one.entry.id for one in found), tenant=(asker or Scope()).tenant)

    async def forget_old(
        self, *, before: float | None = None, weaker_than: float = 0.0, tenant: str | None = None
    ) -> list[str]:
        """Take away what has expired, what was said last `before` then, and what has faded to less than `weaker_than`."""
        now = time.time()

        def gone(entry: Entry) -> bool:
            expired = entry.expires is not None and entry.expires <= now
            return expired or (before is not None and entry.at < before) or entry.strength(now) < weaker_than

        return await self._forgotten(gone, tenant)

    async def forget_tenant(self, tenant: str) -> int:
        """Take all away that a tenant has, its file too; how many memories that were. Raises `StoreError`."""
        if not self._kept(tenant):
            return 0
        return await self._apart(lambda: self._shelf(tenant).clear(tenant))

    def tools(self, *, private: bool = False) -> tuple[Tool, ...]:
        """The tools `recall` and `remember`, always the same ones. `private`: what is remembered is for that agent alone."""
        if private not in self._tools:
            from .deeds import tools_of

            self._tools[private] = tools_of(self, private=private)
        return self._tools[private]

    async def aclose(self) -> None:
        """Let go of server and thread. May be called again."""

        def close() -> None:
            while self._shelves:
                self._shelves.popitem()[1].close()

        if self._shelves:
            await self._apart(close)
        await asyncio.to_thread(self._thread.shutdown)

    def _narrowed(self, scope: Scope) -> Scope:
        return scope.model_copy(update={"crew": self.crew}) if self.crew and not scope.crew else scope

    def _clean(self, entry: Entry) -> Entry | None:
        """The entry without secrets, under its id; None where nothing is left that may be kept."""
        if not entry.text.strip() or len(entry.text) > LONGEST:
            raise InvalidInput(
                f"A memory is a text of 1 to {LONGEST:,} characters, and this one has {len(entry.text.strip()):,}: "
                "say what matters of it in a sentence."
            )
        scope = self._narrowed(entry.scope)
        said = [
            one.model_copy(update={"at": one.at or time.time()})
            for one in entry.provenance or (Provenance(),)
        ]
        parts = {
            name: self._redactor.text(" ".join(getattr(entry, name).split()))
            for name in ("text", "subject", "attribute", "value")
        }
        every = " ".join(parts.values())
        told = set(tokens(parts["text"].replace(REDACTED, " "), stop=False))
        if not told or _SECRET.search(every) or (entry.kind == "entity" and REDACTED in every):
            return None
        if entry.kind == "entity" and not all((parts["subject"], parts["attribute"], parts["value"])):
            raise InvalidInput("A fact about something needs a subject, an attribute and a value, all three.")
        key = said[0].key
        id_ = id_of(key, scope.tenant) if key else entry.id
        return entry.model_copy(update={**parts, "id": id_, "scope": scope, "provenance": tuple(said)})

    async def _forgotten(self, gone: Callable[[Entry], bool], tenant: str | None) -> list[str]:
        found: list[Entry] = []
        for one in [tenant] if tenant is not None else await self.tenants():
            if self._kept(one):
                found += await self._apart(partial(self._forget_of, one, gone))
        return [entry.id for entry in found]

    async def _catch_up(self, tenant: str) -> None:
        """Make vectors of memories that a process without a model for it has kept."""
        if not self._size:
            return
        missing = await self._apart(lambda: self._shelf(tenant).without_vector(_AT_ONCE))
        if missing:
            made = await self._vectors([entry.words for entry in missing])
            own = {entry.id: vector for entry, vector in zip(missing, made, strict=False)}
            await self._apart(lambda: self._shelf(tenant).add_vectors(own))

    async def _vectors(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector of each text; none where nobody makes them."""
        if callable(self._meaning):
            self._meaning = await self._meaning()
        if self._meaning is None:
            return ()
        try:
            made = await self._meaning.embed(texts)
        except EngineError:  # damaged, or away: words serve, and `crewgraph doctor` tells of it
            return ()
        if not self._size:
            self._size = len(made[0])
            await self._apart(self._reopen)
        return made

    def _reopen(self) -> None:
        """Open anew what was opened while nobody made vectors; what is kept nowhere else stays as it is."""
        if str(self.where) != ":memory:":
            while self._shelves:
                self._shelves.popitem()[1].close()

    def _kept(self, tenant: str) -> bool:
        """Whether anything can have been kept, which is known without loading Qdrant."""
        if self._folder is None:
            return bool(self._shelves) or "://" in str(self.where)
        return Ledger(self._folder, tenant).there

    def _kept_here(self, tenant: str, entries: Sequence[Entry], vectors: Vectors) -> list[Entry]:
        return self._shelf(tenant).keep(entries, vectors)

    def _entries_of(self, tenant: str) -> list[Entry]:
        return self._shelf(tenant).entries(tenant)

    def _forget_of(self, tenant: str, gone: Callable[[Entry], bool]) -> list[Entry]:
        return self._shelf(tenant).forget(gone, tenant)

    def _shelf(self, tenant: str) -> Shelf:
        from .shelf import Shelf

        key = tenant if self._folder is not None else ""
        if key not in self._shelves:
            ledger = Ledger(self._folder, tenant) if self._folder is not None else None
            self._shelves[key] = Shelf(self._index, ledger, self._most)
            if ledger is not None and len(self._shelves) > _OPEN:
                self._shelves.popitem(last=False)[1].close()
        self._shelves.move_to_end(key)
        return self._shelves[key]

    def _index(self) -> Index:
        # Here, in its thread: Qdrant's client takes half a second and more to import.
        from qdrant_client import QdrantClient

        from .index import Index

        maker = self._meaning.name if isinstance(self._meaning, Meaning) and self._size else ""
        if "://" in str(self.where):
            client = QdrantClient(url=str(self.where), check_compatibility=False)
            return Index(client, maker, self._size, server=True)
        return Index(QdrantClient(":memory:"), maker, self._size)

    def _all_tenants(self) -> list[str]:
        if self._folder is None:
            if not self._kept(""):
                return []
            return sorted({entry.scope.tenant for entry in self._shelf("").every()})
        try:
            found = [tenant_of(file) for file in tenants_in(self._folder)]
        except OSError as error:
            raise StoreError(
                f"The memories in {self._folder} cannot be read ({error.strerror or error})."
            ) from error
        return sorted(tenant for tenant in found if tenant is not None)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
