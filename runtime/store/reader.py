"""Reader: runs and their rows read back from a database, opened and checked."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ..errors import NotFound
from ..journalling.row import EventRow
from .lines import NOTHING, record_of
from .record import RunRecord, RunStatus, Usage
from .rows import check, filled, holds_large, opened
from .seal import Seal
from .sql.database import Database
from .sql.statements import BLOBS, CHILDREN, LINE, ROWS, USED_ELSEWHERE, Line
from .threads.quoting import Quoting, holds_mark, is_own
from .threads.threads import Threads


class Story(NamedTuple):
    """A run with its rows, and those that carried its tasks with theirs."""

    line: Line
    rows: list[EventRow]
    children: list[Story]


class Reader:
    """Reads one database. SQLModel is loaded only where more than one whole run is asked for."""

    def __init__(self, database: Database, seal: Seal, threads: Threads) -> None:
        self._database = database
        self._seal = seal
        self._threads = threads

    async def line(self, which: str) -> Line:
        """The line of a run: by its id, a unique beginning of one, or ``last``. Raises `NotFound`."""
        if found := await self._database.fetch(LINE, (which,)):
            return Line._make(found[0])
        from .sql import selects

        if which == "last":
            if not (found := await self._database.select(selects.runs(1))):
                raise NotFound(f"There is no run yet in {self._database.name}.")
            return Line._make(found[0])
        found = await self._database.select(selects.runs_beginning(which)) if which else []
        if len(found) == 1:
            return Line._make(found[0])
        if found:
            ids = ", ".join(Line._make(row).id for row in found)
            raise NotFound(f"Several runs begin with {which!r} ({ids}): type more of the id.")
        raise NotFound(f"There is no run {which!r} in {self._database.name}: list the runs to see their ids.")

    async def runs(self, limit: int, *, status: RunStatus | None, tenant: str | None) -> list[RunRecord]:
        """Runs, the newest first, without those that carry a task of another one."""
        from .sql import selects

        stored = "running" if status == "interrupted" else status
        told: list[RunRecord] = []
        below: int | None = None
        while len(told) < limit:
            asked = selects.runs(limit, status=stored, tenant=tenant, below=below)
            lines = [Line._make(found) for found in await self._database.select(asked)]
            told += [record for record in await self.records(lines) if status in (None, record.status)]
            if len(lines) < limit:
                break
            below = lines[-1].number
        return told[:limit]

    async def ended_before(self, before: float, limit: int) -> list[Line]:
        """The lines of runs that ended before then, the oldest first."""
        from .sql import selects

        return [
            Line._make(found) for found in await self._database.select(selects.ended_before(before, limit))
        ]

    async def runs_of_thread(self, thread_id: str) -> list[Line]:
        """The lines of the runs of a conversation."""
        from .sql import selects

        return [Line._make(found) for found in await self._database.select(selects.runs_of_thread(thread_id))]

    async def records(self, lines: list[Line]) -> list[RunRecord]:
        """What is told of these runs."""
        if not lines:
            return []
        owners = {line.owner for line in lines if line.owner is not None and line.status == "running"}
        living = await self._database.living(owners)
        if len(lines) == 1:
            used = [
                (lines[0].id, *found) for found in await self._database.fetch(USED_ELSEWHERE, (lines[0].id,))
            ]
        else:
            from .sql import selects

            used = await self._database.select(selects.used_elsewhere([line.id for line in lines]))
        elsewhere = {row[0]: row[1:] for row in used}
        return [
            record_of(line, self._seal, living=living, elsewhere=elsewhere.get(line.id, NOTHING))
            for line in lines
        ]

    async def record(self, line: Line, *, own: bool = False) -> RunRecord:
        """What is told of this run; with `own`, without what was used elsewhere for it."""
        if own:
            owners = {line.owner} if line.owner is not None else set[str]()
            return record_of(line, self._seal, living=await self._database.living(owners))
        return (await self.records([line]))[0]

    async def whole(self, line: Line, *, own: bool = False) -> RunRecord:
        """The same, with the messages that its history stands for. Raises `StoreError`: they are gone."""
        return await self._threads.whole(await self.record(line, own=own))

    async def children(self, run_id: str) -> list[Line]:
        """The lines of the runs that carry tasks of this one, in the order they were begun."""
        return [Line._make(found) for found in await self._database.fetch(CHILDREN, (run_id,))]

    async def rows(self, line: Line) -> list[EventRow]:
        """The rows of one run, their chain checked. Raises `JournalTampered`."""
        found = await self._database.fetch(ROWS, (line.number,))
        seal = self._seal
        rows = await asyncio.to_thread(opened, found, seal)
        large = holds_large(rows)
        kept = dict(await self._database.fetch(BLOBS, (line.number,))) if large else {}
        short = holds_mark(rows) or any(map(is_own, kept))
        if large or short:
            quoting = Quoting.of((await self.whole(line)).options) if short else None
            rows = await asyncio.to_thread(filled, rows, kept, seal, quoting)
        await asyncio.to_thread(check, line.id, rows, line.head, seal)
        return rows

    async def story(self, line: Line) -> Story:
        """A run with all its rows, and those that carried its tasks. Raises `JournalTampered`."""
        rows = await self.rows(line)
        return Story(
            line, rows, [Story(child, await self.rows(child), []) for child in await self.children(line.id)]
        )

    async def usage(self, tenant: str, since: float) -> Usage:
        """What a tenant's runs have used."""
        from .sql import selects

        ((runs, tokens, tool_calls, money, seconds),) = await self._database.select(
            selects.used_by(tenant, since)
        )
        return Usage(int(runs), int(tokens), int(tool_calls), float(money), float(seconds))
