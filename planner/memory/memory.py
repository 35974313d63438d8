"""PlanMemory: plans that worked, kept with their requests, offered for requests like them, forgotten when they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...agents.crew import Crew
from ...runtime.errors import CrewgraphError, StoreError
from ...runtime.graph import Task
from ...runtime.journalling.redaction import REDACTED, Redactor
from ..asked import Example
from ..checking.checker import check
from ..likeness import WORDS, Likeness
from ..plan import wrong
from .entry import Entry, entry_of, shape
from .inbox import Deed, Inbox, What

if TYPE_CHECKING:
    from .index import Index

T = TypeVar("T")

LONGEST = 4_000
"""Characters: what is longer has no one meaning that a vector could hold."""
_MOST_TASKS = 30
_LOOKED_AT = 4
"""Times as many entries as are wanted: some no longer fit their crew."""
_AT_ONCE = 20
"""What waits is put in so many at a look: a vector takes some 10 ms to make, and whoever looks waits for it."""
_FULL = 0.9
_INBOX = "new.jsonl"


class PlanMemory:
    """Plans that worked, in Qdrant: `where` is ":memory:", a folder, or the URL of a server.

    What is kept is written down at once (`inbox`: in that folder, else in memory) and put into Qdrant by whoever next
    looks for a plan: keeping costs a line in a file, and only looking loads Qdrant and what makes vectors. A folder is
    read by one process at a time; another one reads nothing meanwhile (`trouble` says why), and what it keeps is
    put in later. `likeness` makes the vectors; a function is asked for it when it is first needed.

    At most `most` plans: those that are worth least give way. Nothing is kept that holds a secret, as `redactor` knows
    them.
    """

    def __init__(
        self,
        where: str | Path = ":memory:",
        likeness: Likeness | Callable[[], Awaitable[Likeness]] = WORDS,
        *,
        inbox: Path | None = None,
        redactor: Redactor | None = None,
        most: int = 500,
    ) -> None:
        self.where = where
        self.trouble = ""
        self._folder = Path(where) if "://" not in str(where) and str(where) != ":memory:" else None
        self._inbox = Inbox(inbox or (self._folder / _INBOX if self._folder is not None else None))
        self._likeness = likeness
        self._redactor = redactor or Redactor()
        self._most = most
        self._index: Index | None = None
        self._at_work = asyncio.Lock()
        # One thread: a folder's database may be used by the one that opened it only.
        self._thread = ThreadPoolExecutor(1, "crewgraph-plans")

    async def recall(
        self, request: str, crew: Crew, *, tenant: str = "", limit: int = 3, at_least: float | None = None
    ) -> list[Example]:
        """Plans that worked for requests like this one, likest first; each passes the checker for this crew.

        `at_least` is the least likeness (left out: what the likeness calls near). Never raises for what is kept: where
        that cannot be read there are none, and `trouble` says why; for requests of more than 4,000 characters neither.
        """
        if self._untouched or not 0 < len(request.strip()) <= LONGEST:
            return []
        try:
            return await self._within(partial(self._recall, request, crew, tenant, limit, at_least))
        except CrewgraphError as error:
            self.trouble = str(error)
            return []

    async def keep(
        self, request: str, tasks: Sequence[Task], crew: Crew, *, run_id: str, tenant: str = "", strategy: str
    ) -> bool:
        """A plan has worked: every task of it has succeeded. Like plans for like requests are counted as one.

        Not kept (False): what calls no tool, was outlined by the crew's author, is too long, or holds a secret.
        """
        return await self._happened("worked", request, tasks, crew, run_id, tenant, strategy)

    async def failed(
        self, request: str, tasks: Sequence[Task], crew: Crew, *, run_id: str = "", tenant: str = ""
    ) -> bool:
        """A plan has failed. The kept one that is like it is forgotten when it has failed more often than worked."""
        return await self._happened("failed", request, tasks, crew, run_id, tenant, "")

    async def forget(self, *ids: str) -> int:
        """Take these entries away; how many there were. Raises `StoreError`: they cannot be reached now."""
        return await self._taken_away(lambda entry: entry.id in ids)

    async def clear(self, tenant: str | None = None) -> int:
        """Take all entries away, or those of one tenant; how many. Raises `StoreError`: they cannot be reached now."""
        return await self._taken_away(lambda entry: tenant is None or entry.tenant == tenant)

    async def entries(self, tenant: str | None = None) -> list[Entry]:
        """All that is kept (of one tenant, or of all), newest first. Raises `StoreError`: it cannot be read."""
        if self._untouched:
            return []
        found = await self._within(self._all)
        mine = [entry for entry in found if tenant is None or entry.tenant == tenant]
        return sorted(mine, key=lambda entry: entry.at, reverse=True)

    async def aclose(self) -> None:
        """Let go of folder, server and thread. May be called again."""
        async with self._at_work:
            index, self._index = self._index, None
            if index is not None:
                await self._apart(index.close)
        await asyncio.to_thread(self._thread.shutdown)

    @property
    def _untouched(self) -> bool:
        """Whether nothing can have been kept, which is known without opening anything."""
        if self._index is not None or "://" in str(self.where):
            return False
        try:
            return self._inbox.empty and not (
                self._folder is not None and (self._folder / "meta.json").exists()
            )
        except OSError:  # something is there that may not be read
            return False

    async def _happened(
        self,
        what: What,
        request: str,
        tasks: Sequence[Task],
        crew: Crew,
        run_id: str,
        tenant: str,
        strategy: str,
    ) -> bool:
        text = self._redactor.text(request.strip())
        if crew.tasks or not 0 < len(text) <= LONGEST or len(tasks) > _MOST_TASKS:
            return False
        if not any(task.tool is not None for task in tasks):
            return False
        made = entry_of(text, tasks, crew, run_id=run_id, tenant=tenant, strategy=strategy, at=time.time())
        if self._holds_secrets(made, request.strip()):
            return False
        try:
            await asyncio.to_thread(self._put, [Deed(what=what, entry=made)])
        except StoreError as error:
            self.trouble = str(error)
            return False
        return True

    def _holds_secrets(self, made: Entry, request: str) -> bool:
        """Whether something was taken out, here or before: without it, it is no plan."""
        plain = made.model_dump(mode="json")["tasks"]
        taken_out = made.request != request or self._redactor.value(plain) != plain
        return taken_out or REDACTED in request or REDACTED in str(plain)

    def _put(self, deeds: Sequence[Deed]) -> None:
        try:
            self._inbox.put(deeds)
        except OSError as error:
            raise StoreError(
                f"Plans cannot be kept in {self.where} ({error.strerror or error}): free space or rights there, "
                "or set CREWGRAPH_PLANS to another folder, or to off."
            ) from error

    async def _recall(
        self, request: str, crew: Crew, tenant: str, limit: int, at_least: float | None
    ) -> list[Example]:
        index, likeness = await self._settled(), await self._made_likeness()
        least = likeness.near if at_least is None else at_least
        vector = (await likeness.embed((request,)))[0]
        look = partial(
            index.nearest, vector, tenant=tenant, crew=crew.name, limit=limit * _LOOKED_AT, least=least
        )
        near = await self._apart(look)
        changed = [found.entry.id for found in near if found.entry.stands(crew) == "changed"]
        if changed:
            await self._apart(partial(index.remove, changed))
        sound = [
            Example(found.entry.request, found.entry.tasks, min(1.0, found.likeness))
            for found in near
            if found.entry.stands(crew) == "same" and not wrong(check(found.entry.tasks, crew))
        ]
        self.trouble = ""
        return sound[:limit]

    async def _all(self) -> list[Entry]:
        index = await self._settled()
        found = await self._apart(index.entries)
        known = {(entry.request, shape(entry.tasks)) for entry in found}
        for deed in await self._apart(self._inbox.waiting):
            if deed.what == "worked" and (like := (deed.entry.request, shape(deed.entry.tasks))) not in known:
                known.add(like)
                found.append(deed.entry)
        return found

    async def _taken_away(self, gone: Callable[[Entry], bool]) -> int:
        if self._untouched:
            return 0

        async def take_away() -> int:
            every = [entry for entry in await self._all() if gone(entry)]
            index = await self._settled(0)
            await self._apart(partial(index.remove, [entry.id for entry in every]))
            like = {(entry.tenant, entry.request, shape(entry.tasks)) for entry in every}
            deeds = await self._apart(self._inbox.take)
            kept = [d for d in deeds if (d.entry.tenant, d.entry.request, shape(d.entry.tasks)) not in like]
            await self._apart(partial(self._put, kept))
            return len(every)

        return await self._within(take_away)

    async def _settled(self, most: int = _AT_ONCE) -> Index:
        """The index, with what has happened put in: of much, so many of the oldest, for each takes a vector."""
        if self._index is None:
            likeness = await self._made_likeness()
            self._index = await self._apart(partial(_open, self.where, likeness.name))
            moved = await self._apart(self._index.moved)
            await self._apart(partial(self._put, [Deed(what="worked", entry=entry) for entry in moved]))
        deeds = await self._apart(partial(self._inbox.take, most))
        done = 0
        try:
            for deed in deeds:
                await self._put_in(self._index, deed)
                done += 1
        finally:
            if done < len(deeds):  # the server went away, or we are to stop: somebody else puts the rest in
                await asyncio.shield(self._apart(partial(self._put, deeds[done:])))
        if deeds:
            await self._bound()
        return self._index

    async def _put_in(self, index: Index, deed: Deed) -> None:
        likeness = await self._made_likeness()
        vector = (await likeness.embed((deed.entry.request,)))[0]
        await self._apart(partial(_counted, index, deed, vector, likeness.same))

    async def _bound(self) -> None:
        assert self._index is not None
        every = await self._apart(self._index.entries)
        if len(every) > self._most:
            every.sort(key=lambda entry: entry.use)
            gone = [entry.id for entry in every[: len(every) - int(self._most * _FULL)]]
            await self._apart(partial(self._index.remove, gone))

    async def _made_likeness(self) -> Likeness:
        if not isinstance(self._likeness, Likeness):
            self._likeness = await self._likeness()
        return self._likeness

    async def _within(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._at_work:
            try:
                return await work()
            except OSError as error:
                raise StoreError(
                    f"The kept plans in {self.where} cannot be read ({error.strerror or error})."
                ) from error

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _open(where: str | Path, likeness: str) -> Index:
    # Here, in its thread: Qdrant's client takes half a second and more to import.
    from .index import Index

    return Index(where, likeness)


def _counted(index: Index, deed: Deed, vector: Sequence[float], same: float) -> None:
    """Count a plan that worked or failed with the kept one that is like it; keep it where it worked and there is none."""
    made, worked = deed.entry, deed.what == "worked"
    near = index.nearest(vector, tenant=made.tenant, crew=made.crew, limit=_LOOKED_AT, least=same)
    like = next((n.entry for n in near if shape(n.entry.tasks) == shape(made.tasks)), None)
    if like is None:
        if worked:
            index.put(made, vector)
        return
    if worked and like.run_id == made.run_id and like.run_id:
        return  # told twice, by a run that was taken up again
    if like.tools != made.tools:
        if worked:  # it works with the tools as they are now
            index.put(made.model_copy(update={"id": like.id}), vector)
        return
    counts = {
        "worked": like.worked + (made.worked if worked else 0),
        "failed": like.failed + (made.failed if worked else 1),
    }
    counted = like.model_copy(update={**counts, "run_id": made.run_id, "at": made.at})
    if counted.failed > counted.worked:
        index.remove([like.id])
    else:
        index.count(counted)
