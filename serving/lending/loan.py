"""Owns `Loan`: a crew that others ask, from whichever loop or thread they ask it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from ...agents.crew import Crew
from ...agents.interop.loops import ClientLoop
from ...agents.model import Message
from ...runtime.context import Listener
from ...runtime.errors import CrewgraphError, RunWaiting, StepInDoubt
from ..house import House
from ..outcome import Outcome
from ..settings import Settings

T = TypeVar("T")


class Loan:
    """One crew, and the house where it is asked (or the settings of one that is opened for each request)."""

    def __init__(self, crew: Crew, house: House | None, settings: Settings | None) -> None:
        self.crew = crew
        self._house = house
        self._settings = settings
        self._loop = ClientLoop(house.client) if house is not None else None

    @property
    def name(self) -> str:
        """The crew's name, as a name that every framework takes."""
        plain = re.sub(r"\W+", "_", self.crew.name, flags=re.ASCII).strip("_") or "crew"
        return plain if not plain[0].isdigit() else f"crew_{plain}"

    @property
    def description(self) -> str:
        """What it is for, in a line."""
        return self.crew.description or "A crew: " + " ".join(agent.description for agent in self.crew.agents)

    async def ask(
        self, request: str, *, history: Sequence[Message] = (), listeners: Sequence[Listener] = ()
    ) -> Outcome:
        """What comes of a request, for a coroutine on any loop. Raises what `House.ask` does."""
        return await self.at_home(
            lambda house: house.ask(self.crew, request, history=history, listeners=listeners)
        )

    async def at_home(self, work: Callable[[House], Awaitable[T]]) -> T:
        """What that makes of the house, on the house's own loop; cancelling this cancels that."""

        async def do() -> T:
            async with self._open() as house:
                return await work(house)

        return await (do() if self._loop is None else self._loop.run(do))

    def said_now(self, request: str) -> str:
        """The answer in words, for a thread, which waits; see `said`."""
        if self._loop is not None:
            return self._loop.run_now(lambda: self.said(request))
        return _apart(lambda: self.said(request))

    async def said(self, request: str) -> str:
        """The answer in words; a run without one says why, so that whoever asked can go on from there."""
        try:
            return (await self.ask(request)).answer
        except (RunWaiting, StepInDoubt) as waiting:
            return (
                f"The crew waits for a person and goes on afterwards (run {waiting.run_id}): {waiting} "
                f"`crewgraph answer {waiting.run_id}` says what it asks."
            )
        except CrewgraphError as error:
            return f"The crew has no answer: {error}"

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[House]:
        if self._house is not None:
            yield self._house
            return
        async with House.open(self._settings or Settings()) as house:
            yield house


def _apart(make: Callable[[], Awaitable[T]]) -> T:
    """Run it on a loop of its own, whether or not one runs here."""

    async def work() -> T:
        return await make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work()).result()
