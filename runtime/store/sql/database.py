"""Database: what a store needs of the database below it, and nothing else.

Writing is handed over at once and in order, in units; whatever has gathered is committed together. A *unit* is
written whole or not at all. A *lane* is one run's units: when one of them fails, those behind it fail with the same
error, so that a run's events never have a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from ...errors import ClaimLost, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Select

Holding = Literal["lost", "regained", "given_up"]
"""What became of the claims of a store: nobody holds them just now; they are held again; they are others' to take."""

RETURNED: Final = object()
"""As a statement's first parameter: what was last given back by a statement of its unit, before it."""


CROWD: Final = 2048
"""Units on their way from which on a database is crowded."""


class Statement(NamedTuple):
    """One SQL statement, with ``?`` for each parameter.

    With `guard`, it has to change (or find) a row: else its whole unit is refused.
    """

    sql: str
    parameters: Sequence[Any] = ()
    guard: bool = False


class Written(NamedTuple):
    """What the last statement of a unit did: how many rows it changed, and the first value that it gave back."""

    changed: int = 0
    value: Any = None


class Refused(StoreError):
    """Internal: a guard found nothing, so nothing of its unit was written."""


class Lane:
    """One run's order of writing. `acknowledged` is the last event that is known to be written."""

    __slots__ = ("acknowledged", "failure", "number", "run_id")

    def __init__(self, run_id: str, number: int, acknowledged: int = 0) -> None:
        self.run_id = run_id
        self.number = number
        self.acknowledged = acknowledged
        self.failure: StoreError | None = None

    def fail(self, error: StoreError) -> StoreError:
        """Nothing more of this run can be written; the error that stands for all that comes."""
        if self.failure is None:
            self.failure = self.lost() if isinstance(error, Refused) else error
        return self.failure

    def lost(self) -> ClaimLost:
        """The sentence for a run that somebody else carries out now."""
        return ClaimLost(
            f"Run {self.run_id} has been taken over by another process: this one stops; "
            f"wait for it to end, or look at it with `crewgraph show {self.run_id}`."
        )


class Unit(NamedTuple):
    """Statements that are written together, who waits for them, and whose they are."""

    statements: tuple[Statement, ...]
    done: asyncio.Future[Written] | None = None
    lane: Lane | None = None


class Database(Protocol):
    """One database, seen from the store above it. Every method raises `StoreError` and `StoreCorrupt`."""

    name: str
    """What people call it: a path, or a URL without its password."""
    owner: str
    """Who this store is, to others that look whose a run is."""
    closed: bool
    """Whether it takes nothing more."""
    lanes: dict[int, Lane]
    """The runs that this store carries, by their number."""
    on_holding: Callable[[Holding], None] | None
    """Told when the claims of this store are lost, regained or given up. SQLite's cannot be lost."""

    def put(self, unit: Unit) -> None:
        """Take one unit, in order, at once. Failures are told to whoever waits, and to the unit's lane."""
        ...

    @property
    def crowded(self) -> bool:
        """Whether so much is on its way to the disk that whoever can wait for it should."""
        ...

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read rows below the ORM."""
        ...

    async def select(self, statement: Select[Any]) -> list[tuple[Any, ...]]:
        """Read what a select, declared through SQLModel, asks for."""
        ...

    async def hold(self) -> None:
        """Be seen as alive by others from now on, before the first claim."""
        ...

    async def living(self, owners: Collection[str]) -> set[str]:
        """Those of these owners that are alive."""
        ...

    async def claim(self, number: int, owner: str | None) -> bool:
        """Make a run ours that belongs to `owner`, who is dead or nobody; whether that worked."""
        ...

    def turn(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the turn with this name, which nobody else has then; waits for it. It goes when this process dies."""
        ...

    async def scrub(self) -> None:
        """Overwrite what was deleted, as far as this database can."""
        ...

    async def aclose(self) -> None:
        """Write what is left and let go of everything."""
        ...


def write(database: Database, *statements: Statement, lane: Lane | None = None) -> Awaitable[Written]:
    """Write these in one transaction; awaiting it tells, once committed, what the last one did.

    Cancelling the wait does not take the write back.

    Raises:
        Refused: a guard found nothing.
        StoreError: it could not be written.
    """
    done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
    database.put(Unit(statements, done, lane))
    return done


def closed_error() -> StoreError:
    """The sentence for a store that was closed before its runs."""
    return StoreError("The database is closed: this run outlived its store.")


def settle(outcomes: Sequence[tuple[asyncio.Future[Written], Written | StoreError]]) -> None:
    """Tell those who wait, in their loop, what became of their units."""
    for done, outcome in outcomes:
        if done.done():
            continue
        if isinstance(outcome, StoreError):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
