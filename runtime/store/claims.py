"""Claims: making a run this process's own, before it is carried on or taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..errors import StoreError
from .reader import Reader
from .sql.database import Database, Statement, write
from .sql.statements import RELEASE, Line


class Claims:
    """What a store is about to claim; what it has claimed are the lanes of its database."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database = database
        self._reader = reader
        self._taking: set[int] = set()

    async def take(self, line: Line) -> Line:
        """The line of a run that is ours now; say `settled` when it has a lane or is gone.

        Raises:
            StoreError: somebody carries it out.
        """
        database = self._database
        await database.hold()
        if line.number in database.lanes or line.number in self._taking:
            raise _taken(line.id, "this process")
        self._taking.add(line.number)
        try:
            if not await database.claim(line.number, line.owner):
                raise _taken(line.id, "another process")
            return await self._reader.line(line.id)  # as it was left by whoever had it until now
        except BaseException:
            self._taking.discard(line.number)
            raise

    async def give_back(self, lines: Iterable[Line]) -> None:
        """Make them nobody's again, as they were."""
        owner = self._database.owner
        releases = [
            write(self._database, Statement(RELEASE, (line.head, line.number, owner))) for line in lines
        ]
        await asyncio.gather(*releases, return_exceptions=True)

    def settled(self, lines: Iterable[Line]) -> None:
        """These are not just being taken any more."""
        self._taking.difference_update(line.number for line in lines)


def _taken(run_id: str, by: str) -> StoreError:
    return StoreError(f"Run {run_id} is being carried out by {by}: wait for it to end, or stop it first.")
