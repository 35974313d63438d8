"""Bus: short messages between the processes of a cluster, and the lock that says that this one lives.

Messages go by LISTEN and NOTIFY. The session that listens also holds the process's advisory lock: so both end in
one moment, and whoever has missed a message knows it, for it has lost its lock too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, LiteralString, Self

import psycopg

from .link import LOCKS, Link, connect, refused

Kind = Literal["joined", "died", "done", "cancel"]
"""A worker has begun (its lock); one has died; a workflow is over (its id); a workflow is to stop (its id)."""

Handler = Callable[[str], None]
"""Is given what a message is about. Called on the event loop: it must return at once."""

_CHANNEL = "crewgraph_cluster"
SUBJECT_CHARS = 512
"""What a message is about may not be longer: PostgreSQL carries 8,000 bytes."""


class Bus:
    """Made by `open`. `lost` is set when this process is cut off, and `why` says what happened."""

    def __init__(self, ears: Link, mouth: Link) -> None:
        self.lost = asyncio.Event()
        self.why = ""
        self.leaving = False
        """Whether this process lays down what it carries, so that others go on with it."""
        self._ears = ears
        self._mouth = mouth
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self._outbox: list[str] = []
        self._written = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._tasks = [
            asyncio.create_task(self._listen(), name="bus listens"),
            asyncio.create_task(self._speak(), name="bus speaks"),
        ]

    @classmethod
    async def open(cls, url: str, name: str, *, lock: int | None = None) -> Self | None:
        """Join the cluster's conversation, holding `lock` from now on. None: another process holds that lock.

        Raises:
            StoreError: the server does not answer, or refuses.
        """
        ears = await connect(url, f"{name} listens")
        try:
            if lock is not None:
                row = await (
                    await ears.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCKS, lock))
                ).fetchone()
                if row is None or not row[0]:
                    await ears.close()
                    return None
            await ears.execute(f"LISTEN {_CHANNEL}")
            mouth = await connect(url, f"{name} speaks")
        except psycopg.Error as error:
            await ears.close()
            raise refused(error) from None
        except BaseException:
            await ears.close()
            raise
        return cls(ears, mouth)

    def on(self, kind: Kind, handler: Handler) -> Callable[[], None]:
        """Call `handler` for every such message from now on; what is given back ends that."""
        self._handlers[kind].append(handler)
        return lambda: self._handlers[kind].remove(handler)

    def tell(self, kind: Kind, about: str = "") -> None:
        """Send a message to all, this process among them. It is on its way, not yet sent, when this returns."""
        self._outbox.append(f"{kind} {about[:SUBJECT_CHARS]}")
        self._sent.clear()
        self._written.set()

    async def flush(self) -> None:
        """Wait until everything told is sent, or this process is cut off."""
        await self._sent.wait()

    async def query(self, statement: LiteralString, given: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows that a statement gives. Raises `StoreError`."""
        try:
            return await (await self._mouth.execute(statement, given)).fetchall()
        except psycopg.Error as error:
            raise refused(error) from None

    async def aclose(self) -> None:
        """Send what is left, and give the lock back."""
        if not self.lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in (self._ears, self._mouth):
            await link.close()

    def lose(self, why: str) -> None:
        """Count as cut off from now on: what happens to this process is `why`."""
        if not self.lost.is_set():
            self.why = why
            self.lost.set()
            self._sent.set()

    async def _listen(self) -> None:
        try:
            async for message in self._ears.notifies():
                kind, _, about = message.payload.partition(" ")
                for handler in tuple(self._handlers.get(kind, ())):
                    handler(about)
            self.lose("the session that holds this worker's lock has ended")
        except (psycopg.Error, OSError) as error:
            self.lose(" ".join(str(error).split()))

    async def _speak(self) -> None:
        try:
            while True:
                await self._written.wait()
                self._written.clear()
                outgoing, self._outbox = self._outbox, []
                if outgoing:
                    await self._mouth.execute(
                        f"SELECT pg_notify('{_CHANNEL}', said) FROM unnest(%s::text[]) AS said", (outgoing,)
                    )
                if not self._outbox:
                    self._sent.set()
        except (psycopg.Error, OSError) as error:
            self.lose(" ".join(str(error).split()))
