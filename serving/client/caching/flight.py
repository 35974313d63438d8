"""Flight: one call on which everybody rides who asks the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from ....agents.model import ModelDelta, ModelReply
from ....runtime.errors import EngineError, StreamBroken
from .entry import shared

Emit = Callable[[ModelDelta], None]
Work = Callable[[Emit], Awaitable[None]]


class Flight:
    """A call in a task of its own, so that whoever asked first may leave while others wait.

    Each rider gets what there is so far, then the rest as it comes; the first one pays for it, all others get it for
    nothing. An error reaches all. When the last rider leaves before the reply is whole, the call is cancelled.
    """

    def __init__(self, work: Work, over: Callable[[Flight], None]) -> None:
        self.reply: ModelReply | None = None
        self._deltas: list[ModelDelta] = []
        self._error: BaseException | None = None
        self._riders: dict[object, None] = {}
        self._paid = False
        self._for_more: dict[asyncio.Future[None], None] = {}
        self._for_all: dict[asyncio.Future[None], None] = {}
        self._over = over
        self.task = asyncio.create_task(self._fly(work), name="crewgraph-cache-flight")
        self.task.add_done_callback(self._landed)

    async def whole(self) -> tuple[ModelReply, bool]:
        """The whole reply, and whether this rider got it for nothing."""
        rider = self._board()
        try:
            if self.reply is not None:
                await asyncio.sleep(0)  # it is just being kept: let that go on
            while self.reply is None:
                self._raise_error()
                await self._news(self._for_all)
            return self._handed(rider, self.reply)
        finally:
            self._leave(rider)

    async def pieces(self, until: float | None = None) -> AsyncGenerator[tuple[ModelDelta, bool], None]:
        """The reply from its beginning, as it is written. `until` is when this rider's time is up, on the loop's clock."""
        rider = self._board()
        at = 0
        try:
            while True:
                while at < len(self._deltas):
                    delta = self._deltas[at]
                    at += 1
                    if delta.reply is None:
                        yield delta, False
                        continue
                    reply, free = self._handed(rider, delta.reply)
                    yield replace(delta, reply=reply), free
                    return
                self._raise_error()
                if until is None:
                    await self._news(self._for_more)
                else:
                    async with asyncio.timeout_at(until):
                        await self._news(self._for_more)
        finally:
            self._leave(rider)

    async def _fly(self, work: Work) -> None:
        try:
            await work(self._emit)
            if self.reply is None:
                raise StreamBroken("The reply ended before it was whole: ask again.")
        except Exception as error:
            self._error = error

    def _landed(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # perhaps before it began, so this cannot be said from within
            self._error = EngineError("The call was given up because its client was closed: ask another one.")
        elif (error := task.exception()) is not None:
            self._error = error
        self._over(self)
        self._wake(self._for_more)
        self._wake(self._for_all)

    def _emit(self, delta: ModelDelta) -> None:
        self._deltas.append(delta)
        if delta.reply is not None:
            self.reply = delta.reply
            self._wake(self._for_all)
        self._wake(self._for_more)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _handed(self, rider: object, reply: ModelReply) -> tuple[ModelReply, bool]:
        pays = not self._paid and next(iter(self._riders)) is rider
        self._paid = self._paid or pays
        return (reply, False) if pays else (shared(reply), True)

    def _board(self) -> object:
        rider = object()
        self._riders[rider] = None
        return rider

    def _leave(self, rider: object) -> None:
        del self._riders[rider]
        if not self._riders and self.reply is None and self._error is None:
            self._over(self)  # at once: nobody may board what is being given up
            self.task.cancel()

    @staticmethod
    async def _news(waiting: dict[asyncio.Future[None], None]) -> None:
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting[news] = None
        try:
            await news
        finally:
            waiting.pop(news, None)

    @staticmethod
    def _wake(waiting: dict[asyncio.Future[None], None]) -> None:
        for news in waiting:
            if not news.done():
                news.set_result(None)
        waiting.clear()


class Flights:
    """The calls under way, by key, for each event loop its own."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str], Flight] = {}
        self._tasks: dict[asyncio.Task[None], Flight] = {}

    def board(self, key: str, work: Work) -> tuple[Flight, bool]:
        """The flight for this key, and whether it was under way already. It is given up unless somebody rides on it."""
        place = (id(asyncio.get_running_loop()), key)
        flight = self._open.get(place)
        if flight is not None:
            return flight, True

        def over(ended: Flight) -> None:
            if self._open.get(place) is ended:
                del self._open[place]

        flight = self._open[place] = Flight(work, over)
        self._tasks[flight.task] = flight
        flight.task.add_done_callback(self._tasks.pop)
        return flight, False

    async def settle(self) -> None:
        """Wait until every call that is under way now has ended, and its reply is kept."""
        await asyncio.gather(*self._mine(), return_exceptions=True)

    async def aclose(self) -> None:
        """Give up what nobody has the reply to yet, and wait until all has ended."""
        for task, flight in self._mine().items():
            if flight.reply is None:
                task.cancel()
        await self.settle()

    def _mine(self) -> dict[asyncio.Task[None], Flight]:
        loop = asyncio.get_running_loop()
        return {task: flight for task, flight in self._tasks.items() if task.get_loop() is loop}
