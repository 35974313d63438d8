"""Owns one request's turn: wait for a place, run the crew, answer, and stop when the client has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .completion import PULSE, Completion, sse
from .errors import error_body, error_response, is_ours
from .gate import Gate, stopping
from .words import Words

if TYPE_CHECKING:
    from ..house import Outcome

_LOG = logging.getLogger(__name__)

PULSE_SECONDS = 10.0
_SETTLED = 0.2
"""A run that fails within so many seconds is answered with its HTTP status, a later one in the stream."""


class Turn(Response):
    """The response to one chat request, whole or as a stream.

    Nothing of the run's steps is sent, for it is no part of the answer: a stream says who speaks, pulses
    while the crew works, gives words that are final as they are written, and then the rest of the answer.
    """

    def __init__(
        self,
        completion: Completion,
        gate: Gate,
        run: Callable[[], Awaitable[Outcome]],
        words: Words,
        *,
        stream: bool,
        include_usage: bool,
    ) -> None:
        super().__init__()
        self._completion, self._gate, self._run, self._words = completion, gate, run, words
        self._stream, self._include_usage = stream, include_usage
        self._streaming = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client leaves first."""
        work = asyncio.create_task(self._answer(scope, receive, send))
        leaving = asyncio.create_task(_gone(receive))
        closing = asyncio.create_task(self._gate.closed.wait())
        try:
            await asyncio.wait({work, leaving, closing}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            elif closing.done() and not leaving.done():
                await _ended(work)
                await self._send_stopping(scope, receive, send)
        finally:
            await _ended(work, leaving, closing)

    async def _send_stopping(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._streaming:
            return await error_response(stopping())(scope, receive, send)
        await _send_piece(send, sse(error_body(stopping())))
        return await _send_end(send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._gate.turn():
                if self._stream:
                    return await self._send_stream(send)
                outcome = await self._run()
        except Exception as error:
            _log(error)
            return await error_response(error)(scope, receive, send)
        return await JSONResponse(self._completion.whole(outcome))(scope, receive, send)

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
                outcome = run.result()
                rest = self._words.rest(outcome.answer)
                for piece in self._completion.ending(outcome, rest, include_usage=self._include_usage):
                    await _send_piece(send, piece)
            except Exception as error:
                _log(error)
                await _send_piece(send, sse(error_body(error)))
            await _send_end(send)
        finally:
            await _ended(run)

    async def _send_words(self, send: Send, run: asyncio.Future[Outcome]) -> None:
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
                await _ended(coming)


_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _send_end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what still goes on, and wait until it has cleaned up."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _log(error: Exception) -> None:
    if not is_ours(error):
        _LOG.error("a chat request failed", exc_info=error)
