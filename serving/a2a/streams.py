"""Answers to A2A clients: in one piece or as server-sent events. A client that leaves ends its answer, not its task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..api.completion import PULSE
from ..api.gate import Gate, stopping
from ..api.stream import PULSE_SECONDS
from ..api.turn import Turn, ended, log
from .errands import Update
from .errors import A2AError, a2a_error

Wrap = Callable[[Update], dict[str, Any]]
"""What a binding puts round a result."""
Refuse = Callable[[A2AError], Response]
"""How a binding answers with an error."""


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer. What tools gave may hold infinities, for which JSON has no form."""
    return Response(to_json(value, inf_nan_mode="null"), status_code=status, media_type="application/json")


class Answering(Turn):
    """An answer in one piece, for which a client may have to wait long."""

    def __init__(self, gate: Gate, work: Callable[[], Awaitable[Update]], wrap: Wrap, refuse: Refuse) -> None:
        super().__init__(gate)
        self._work, self._wrap, self._refuse = work, wrap, refuse

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the result and send it."""
        try:
            response = json_response(self._wrap(await self._work()))
        except Exception as error:
            response = refused(error, self._refuse)
        return await response(scope, receive, send)

    async def answer_stopping(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that the server stops."""
        return await self._refuse(a2a_error(stopping()))(scope, receive, send)


class Streaming(Turn):
    """Updates, as they come. What goes wrong before the first of them is an answer in one piece."""

    def __init__(
        self, gate: Gate, updates: Callable[[], Awaitable[AsyncIterator[Update]]], wrap: Wrap, refuse: Refuse
    ) -> None:
        super().__init__(gate)
        self._updates, self._wrap, self._refuse = updates, wrap, refuse
        self._begun = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the updates, and a pulse where none come for long."""
        try:
            updates = await self._updates()
        except Exception as error:
            await refused(error, self._refuse)(scope, receive, send)
            return
        coming = asyncio.ensure_future(anext(updates, None))
        try:
            while True:
                await asyncio.wait({coming}, timeout=PULSE_SECONDS)
                if not coming.done():
                    await self._send(send, PULSE)
                    continue
                if (update := coming.result()) is None:
                    break
                await self._send(send, b"data: " + to_json(self._wrap(update), inf_nan_mode="null") + b"\n\n")
                coming = asyncio.ensure_future(anext(updates, None))
        finally:
            await ended(coming)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer_stopping(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the stream where it has begun: the task goes on when it is asked for again."""
        if self._begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._refuse(a2a_error(stopping()))(scope, receive, send)

    async def _send(self, send: Send, piece: bytes) -> None:
        if not self._begun:
            self._begun = True
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": piece, "more_body": True})


def refused(error: Exception, refuse: Refuse) -> Response:
    """The answer that an exception is."""
    if not isinstance(error, A2AError):
        log(error)
    return refuse(a2a_error(error))


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
