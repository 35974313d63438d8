"""Owns one request's turn: wait for a place, do the work, answer, and stop when the client has gone."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from .errors import error_response, is_ours
from .gate import Gate, stopping

_LOG = logging.getLogger(__name__)


class Turn(Response, ABC):
    """The response to a request that sets a crew to work, once there is a place in the gate.

    When the client leaves, the work is cancelled; when the gate closes, it is too, and the client is told.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client leaves first."""
        work = asyncio.create_task(self.answer(scope, receive, send))
        leaving = asyncio.create_task(_gone(receive))
        closing = asyncio.create_task(self.gate.closed.wait())
        try:
            await asyncio.wait({work, leaving, closing}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            elif closing.done() and not leaving.done():
                await ended(work)
                await self.answer_stopping(scope, receive, send)
        finally:
            await ended(work, leaving, closing)

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a place, do the work and answer."""

    async def answer_stopping(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that the server stops."""
        return await error_response(stopping())(scope, receive, send)


class WholeTurn(Turn):
    """A turn whose answer comes in one piece: `work` gives it."""

    def __init__(self, gate: Gate, work: Callable[[], Awaitable[Response]]) -> None:
        super().__init__(gate)
        self._work = work

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a place, do the work and send what it gives."""
        try:
            async with self.gate.turn():
                response = await self._work()
        except Exception as error:
            log(error)
            response = error_response(error)
        return await response(scope, receive, send)


async def ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still goes on, and wait until it has cleaned up."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def log(error: Exception) -> None:
    """Keep what was not raised on purpose: the client is told no details of it."""
    if not is_ours(error):
        _LOG.error("a request failed", exc_info=error)


async def _gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
