"""Turns: of those that speak in one conversation at the same time, one after the other, in this process and in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import MappingProxyType

from ..sql.database import Database

_NONE: Mapping[tuple[int, str], Turn] = MappingProxyType({})
_held: ContextVar[Mapping[tuple[int, str], Turn]] = ContextVar("crewgraph_turns", default=_NONE)
"""The turns within which this code runs: who asks something in the conversation that it answers does not wait for itself."""


class Turn:
    """One turn: `over` once it has been let go."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False


class _Queue:
    """Those of this process that want one conversation."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Turns:
    """The turns of one store. What is kept of a conversation here goes when nobody wants it any more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, thread_id: str) -> AsyncIterator[None]:
        """Alone in this conversation, for as long as it lasts; those of one process come in the order of their asking.

        Waits for whoever has it, in whichever process, without looking again and again; a process that dies has it no
        longer. Raises `StoreError`.
        """
        around, place = _held.get(), (id(self), thread_id)
        if place in around and not around[place].over:
            yield
            return
        turn = Turn()
        queue = self._queues.setdefault(thread_id, _Queue())
        queue.users += 1
        try:
            async with queue.lock, self._database.turn(thread_id):
                _held.set({**around, place: turn})
                try:
                    yield
                finally:
                    turn.over = True
                    _held.set(around)
        finally:
            queue.users -= 1
            if not queue.users:
                del self._queues[thread_id]
