"""Owns the answer to a chat request as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from .completion import PULSE, Completion, Reply, sse
from .errors import error_body, error_response
from .gate import Gate, stopping
from .turn import Turn, ended, log
from .words import Words

PULSE_SECONDS = 10.0
_SETTLED = 0.2
"""A run that fails within so many seconds is answered with its HTTP status, a later one in the stream."""


class StreamTurn(Turn):
    """A turn whose answer is a stream.

    Nothing of the run's steps is sent, for it is no part of the answer: a stream says who speaks, pulses
    while the crew works, gives words that are final as they are written, and then the rest of the answer.
    """

    def __init__(
        self,
        gate: Gate,
        run: Callable[[], Awaitable[Reply]],
        completion: Completion,
        words: Words,
        *,
        include_usage: bool,
    ) -> None:
        super().__init__(gate)
        self._run, self._completion, self._words = run, completion, words
        self._include_usage = include_usage
        self._streaming = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a place and stream the run's answer."""
        try:
            async with self.gate.turn():
                await self._send_stream(send)
        except Exception as error:
            log(error)
            return await error_response(error)(scope, receive, send)

    async def answer_stopping(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that the server stops, in the stream where it has begun."""
        if not self._streaming:
            return await super().answer_stopping(scope, receive, send)
        await _send_piece(send, sse(error_body(stopping())))
        return await _send_end(send)

    async def _send_stream(self, send: Send) -> None:
        run = asyncio.ensure_future(self._run())
        try:
            await asyncio.wait({run}, timeout=_SETTLED)
            if run.done():
                run.result()  # what fails at once is answered by the caller, with its status
            self._streaming = True
            await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
            await _send_piece(send, self._completion.opening())
            await self._send_words(send, run)
            try:
                reply = run.result()
                rest = self._words.rest(reply.text)
                for piece in self._completion.ending(reply, rest, include_usage=self._include_usage):
                    await _send_piece(send, piece)
            except Exception as error:
                log(error)
                await _send_piece(send, sse(error_body(error)))
            await _send_end(send)
        finally:
            await ended(run)

    async def _send_words(self, send: Send, run: asyncio.Future[Reply]) -> None:
        """Words as they come, and a pulse where none come for long, until the run is done."""
        while not run.done():
            coming = asyncio.ensure_future(self._words.next())
            try:
                either: set[asyncio.Future[Any]] = {run, coming}
                await asyncio.wait(either, timeout=PULSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    await _send_piece(send, self._completion.words(coming.result()))
                elif not run.done():
                    await _send_piece(send, PULSE)
            finally:
                await ended(coming)


_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _send_end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})
