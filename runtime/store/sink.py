"""RunSink: the way from one run's journal into the database, and what each event does to the run's line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from ..budget import Cost
from ..errors import StoreError
from ..events import Answer, Event, RunErred, RunFinished
from ..journalling.row import EventRow
from .rows import rest_mark
from .seal import Seal
from .sql.database import Database, Lane, Statement, Unit, Written, write
from .sql.statements import ANSWERS, APPEND, BLOB, BLOB_REF, CLAIM_FREE, GO_ON, RELEASE, REST, REST_UNCLAIMED
from .threads.quoting import Quoting, own_digest

if TYPE_CHECKING:
    from ..journalling.journal import Journal

_RESTING = {
    "run_finished": "finished",
    "run_erred": "failed",
    "run_cancelled": "cancelled",
    "run_paused": "waiting",
}


class RunSink:
    """The sink of one run. `elsewhere` is what runs that carried its tasks had used when it was opened.

    With `quoting`, what the run heard of its conversation is not kept again with each of its model calls.
    """

    __slots__ = ("_at_rest", "_claimed", "_database", "_elsewhere", "_lane", "_link", "_quoting", "_seal")

    def __init__(
        self,
        database: Database,
        seal: Seal,
        lane: Lane,
        *,
        claimed: bool,
        link: bytes = b"",
        elsewhere: Cost | None = None,
        quoting: Quoting | None = None,
    ) -> None:
        self._database = database
        self._seal = seal
        self._lane = lane
        self._claimed = claimed
        self._link = link
        self._elsewhere = elsewhere
        self._quoting = quoting
        self._at_rest = False
        if claimed:
            database.lanes[lane.number] = lane

    def put(self, journal: Journal, row: EventRow, event: Event, *, wait: bool) -> Awaitable[None] | None:
        """Hand over one row, at once; see `Sink`."""
        lane = self._lane
        quoting = self._quoting if row.kind == "step_intended" else None
        kept = row if quoting is None else row._replace(body=quoting.shortened(row.body))
        key, body = self._seal.close_row(kept)
        append = Statement(APPEND, (lane.number, row.seq, row.at, row.kind, row.task_id, key, body, row.link))
        statements: tuple[Statement, ...] = (append,)
        if row.large or self._at_rest or row.kind.startswith("run_"):
            statements = tuple(self._more(append, journal, row, event))
        self._link = row.link
        if not wait:
            self._database.put(Unit(statements, None, lane))
            return None
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._database.put(Unit(statements, done, lane))
        return cast(Awaitable[None], done)

    @property
    def crowded(self) -> bool:
        """Whether so much of all runs is on its way that whoever can wait for it should."""
        return self._database.crowded

    async def flush(self) -> None:
        """Wait until every row that was put is safe."""
        await write(self._database, lane=self._lane)

    async def answers(self) -> list[tuple[str, float, Answer]]:
        """What people have answered to this run's questions."""
        found = await self._database.fetch(ANSWERS, (self._lane.number,))
        return [(key, asked, Answer.model_validate_json(self._seal.open(body))) for key, asked, body in found]

    async def release(self) -> None:
        """Give the run back. A run at rest is nobody's already, and closing the store gives back all."""
        lane, owner = self._lane, self._database.owner
        self._forget()
        told = lane.failure is not None
        if not self._claimed or self._database.closed or (self._at_rest and not told):
            return
        head = rest_mark(self._link, self._seal.secret) if self._link else None
        try:
            await write(self._database, Statement(RELEASE, (head, lane.number, owner)), lane=lane)
        except StoreError:  # what the last event is, nobody knows
            again = write(self._database, Statement(RELEASE, (None, lane.number, owner)))
            await asyncio.gather(again, return_exceptions=True)
            if not told:
                raise

    def _more(self, append: Statement, journal: Journal, row: EventRow, event: Event) -> list[Statement]:
        number, owner = self._lane.number, self._database.owner
        statements: list[Statement] = []
        if self._at_rest and self._claimed:  # it goes on after all, unless somebody else has taken it
            statements.append(Statement(CLAIM_FREE, (owner, number), guard=True))
            self._database.lanes[number] = self._lane
        self._at_rest = False
        statements.append(append)
        for part in row.large:
            digest, text = self._seal.digest(part.digest), part.text
            if self._quoting and (own := self._quoting.shortened_large(text)) is not None:
                digest, text = own_digest(digest, number), own
            statements.append(Statement(BLOB, (digest, self._seal.close(text))))
            statements.append(Statement(BLOB_REF, (number, digest)))
        if row.kind in _RESTING:
            statements.append(self._rest(journal, row, event))
            self._at_rest = True
            self._forget()
        elif row.kind == "run_resumed":
            statements.append(Statement(GO_ON, (number,)))
        return statements

    def _rest(self, journal: Journal, row: EventRow, event: Event) -> Statement:
        status = _RESTING[row.kind]
        spent = journal.spent - journal.charged
        if self._elsewhere is not None:
            spent = spent - self._elsewhere
        values = (
            status,
            None if status == "waiting" else row.at,
            self._seal.close(plain(event.answer)) if isinstance(event, RunFinished) else "",
            self._seal.close(plain(event.error)) if isinstance(event, RunErred) else "",
            spent.tokens,
            spent.tool_calls,
            spent.money,
            journal.worked,
            rest_mark(row.link, self._seal.secret),
            self._lane.number,
        )
        if self._claimed:
            return Statement(REST, (*values, self._database.owner), guard=True)
        return Statement(REST_UNCLAIMED, values, guard=True)

    def _forget(self) -> None:
        if self._database.lanes.get(self._lane.number) is self._lane:
            del self._database.lanes[self._lane.number]


def plain(text: str) -> str:
    """Text as every database can hold it: half characters become question marks, NULs the sign for what is unknown."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
