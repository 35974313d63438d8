"""Owns `Wire`: one connection to a server, and the one request at a time that goes over it.

Bytes go the straight way: from the event loop into a buffer that all connections share, through the parser, and into the
`Reader` of the answer. Whoever waits for the answer is woken once for all that one read brought, and only when there is
text for them. When they are slower than the server, the server is made to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from .faults import Dropped, Fault, Late, NotHttp, Silent

READ_BYTES = 128 * 1024
MAX_WAITING_CHARS = 64 * 1024
"""So much text may wait for a slow reader before the server has to."""
MAX_BODY_BYTES = 256 * 1024 * 1024
"""A body longer than this is no answer of a model engine; reading on would fill the memory."""
_LAST_WORDS_S = 1.0  # an answer that said that it is whole has so long to end also as HTTP


class Reader(Protocol):
    """What a streamed answer is given to, piece by piece; see `dialects.dialect.Reading`."""

    @property
    def done(self) -> bool:
        """The answer said that it is whole."""
        ...

    def feed(self, data: bytes) -> str:
        """The text in these bytes."""
        ...


class Wire(asyncio.BufferedProtocol):
    """One connection. `send` a request, await `begun`, then `text` or `body`, and always `leave`.

    `clean` says whether another request may follow. The buffer is one for many connections: what is read into it is used
    up before the event loop turns to the next.
    """

    def __init__(self, buffer: memoryview, on_free: Callable[[Wire], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self._on_free = on_free
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.lost = False
        self.since = 0.0  # when it was given back to its pool
        self.reused = False
        self._busy = False
        self._reset(None, 0.0, None)

    def _reset(self, reader: Reader | None, silence_s: float, deadline: float | None) -> None:
        self._reader = reader
        self._silence_s = silence_s
        self._deadline = deadline
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._gathered = 0
        self._text = ""
        self._paused = False
        self._failure: Exception | None = None
        self._complete = self._keep = self._odd = False

    # What a request needs

    def send(
        self,
        head: bytes,
        body: bytes | None,
        reader: Reader | None,
        *,
        silence_s: float,
        deadline: float | None,
    ) -> None:
        """Send a request. `reader` is fed with the answer if its status is 200; all others, and all without one, are
        gathered for `body`. `deadline` is in the loop's time."""
        self._reset(reader, silence_s, deadline)
        self._busy = True
        self._heard = self._loop.time()
        if self._transport is None or self._transport.is_closing():
            self._failure = Dropped("it closed the connection", begun=False, reused=self.reused)
            return
        self._arm()
        self._transport.write(head if body is None else head + body)

    async def begun(self) -> int:
        """The status of the answer. Raises a `Fault`."""
        while not self.status:
            if self._failure is not None:
                raise self._failure
            await self._wait()
        return self.status

    async def text(self) -> str:
        """The text that came since the last call; "" when the answer has ended. Raises a `Fault`, or what the reader
        raised, after the text that came before it."""
        while True:
            if self._text:
                text, self._text = self._text, ""
                if self._paused:
                    self._resume()
                return text
            if self._failure is not None:
                raise self._failure
            if self._complete:
                return ""
            await self._wait()

    async def body(self) -> bytes:
        """The whole body of an answer that no reader takes. Raises a `Fault`."""
        while not self._complete:
            if self._failure is not None:
                raise self._failure
            await self._wait()
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def leave(self) -> None:
        """Be done with the request: a clean connection is free for the next, any other is closed at once, which is what
        tells an engine to stop."""
        if not self._busy:
            return
        self._busy = False
        self._disarm()
        self._reader = None
        if self.clean:
            self.reused = True
            self._on_free(self)
        else:
            self.close()

    @property
    def clean(self) -> bool:
        """Whether the last answer came whole, nothing came after it, and the server keeps the connection."""
        return (
            self._complete
            and self._keep
            and not (self._odd or self.lost)
            and self._failure is None
            and self._transport is not None
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )

    def header(self, name: str) -> str:
        """A header of the answer, "" where it has none of that name."""
        wanted = name.lower().encode()
        return next((v.decode("latin-1") for n, v in self.headers if n.lower() == wanted), "")

    def close(self, failure: Fault | None = None) -> None:
        """Close the connection now, whatever is under way; who waits for an answer gets `failure`."""
        if failure is not None and self._busy and not self._complete:
            self._fail(failure)
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: Exception) -> None:
        if self._failure is None and not self._complete:
            self._failure = failure
        self._disarm()
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # Time

    def _arm(self) -> None:
        limit = _LAST_WORDS_S if self._reader is not None and self._reader.done else self._silence_s
        at = self._heard + limit
        if self._deadline is not None and self._deadline < at:
            at = self._deadline
        self._timer = self._loop.call_at(at, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._loop.time()
        self._timer = None
        if self._paused:
            self._heard = now  # it is the reader who lets the server wait
        done = self._reader is not None and self._reader.done
        if self._deadline is not None and now >= self._deadline:
            self._fail(Late("the time of the call is over"))
        elif now - self._heard >= (_LAST_WORDS_S if done else self._silence_s):
            if done:
                self._end(clean=False)
            else:
                self._fail(Silent(begun=bool(self.status)))
        else:
            self._arm()

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._heard = self._loop.time()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of no class of asyncio

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        if not self._busy or self._parser is None:
            self.close()  # nobody asked for them
            return
        self._heard = self._loop.time()
        before = self.status
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except httptools.HttpParserUpgrade:
            self._fail(NotHttp("it wants to speak another protocol"))
        except httptools.HttpParserError as error:
            self._odd = True
            self._fail(NotHttp(" ".join(str(error).split()) or "it is not HTTP"))
        if self._reader is not None and self.status == 200:
            self._read(self._reader)
        elif self._gathered > MAX_BODY_BYTES:
            self._fail(NotHttp("its answer does not end"))
        if self._text or self._complete or before != self.status:
            self._wake()

    def _read(self, reader: Reader) -> None:
        parts = self._parts
        if not parts or self._failure is not None:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        try:
            text = reader.feed(data)
        except Exception as error:
            self._complete = False
            self._fail(error)
            return
        if text:
            self._text = self._text + text if self._text else text
            if len(self._text) > MAX_WAITING_CHARS and not self._paused and not self._complete:
                self._pause()
        if reader.done and not self._complete:
            self._disarm()
            self._arm()

    def eof_received(self) -> None:
        """The server has closed its side; the connection is closed altogether."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.lost = True
        self._transport = self._parser = None  # the parser holds us, and we it
        if self._busy and not self._complete and self._failure is None:
            done = self._reader is not None and self._reader.done
            if done or (self.status and exc is None and self._until_closed()):
                self._end(clean=False)
            else:
                why = str(exc) if exc is not None and str(exc) else "it closed the connection"
                self._fail(Dropped(why, begun=bool(self.status), reused=self.reused))
        self._on_free(self)

    def _until_closed(self) -> bool:
        return not self.header("content-length") and not self.header("transfer-encoding")

    def _end(self, *, clean: bool) -> None:
        self._complete, self._keep = True, clean
        self._disarm()
        if not clean and self._transport is not None:
            self._transport.abort()
        self._wake()

    # What the parser calls

    def on_message_begin(self) -> None:
        """An answer begins; a second one that nobody asked for makes the connection unusable."""
        self._odd = self._odd or self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers of a chunked body say nothing to us."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers; those of an interim answer (100 Continue) are not those of the answer."""
        if self._complete or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
        else:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self._complete:
            self._parts.append(body)
            self._gathered += len(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self.status and not self._complete and self._parser is not None:
            self._complete = True
            self._keep = self._parser.should_keep_alive()
            self._disarm()
