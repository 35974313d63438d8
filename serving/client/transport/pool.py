"""Owns `Pool`: the connections to one server, those in use and those that wait for the next request."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

from .address import Address
from .faults import Closed, Late, Unreached
from .wire import READ_BYTES, Wire

CONNECT_TIMEOUT_S = 5.0
_KEEP_S = 4.0  # below the 5 s after which llama.cpp and uvicorn close an idle connection


class Pool:
    """Connections to one address, as many as there are requests at once: nothing is held back here.

    The one that was used last is used first; those that were not used for a while are closed. Belongs to the event loop
    in which it is used.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[Wire] = []
        self._all: set[Wire] = set()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._tls: ssl.SSLContext | None = None
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty = asyncio.Event()

    async def wire(self, *, fresh: bool = False, deadline: float | None = None) -> Wire:
        """A connection for one request; `fresh` makes a new one. Raises `Unreached`, `Late` or `Closed`."""
        if self._closed:
            raise Closed("closed")
        while self._idle and not fresh:
            wire = self._idle.pop()
            if wire.clean:
                return wire
            wire.close()
        return await self._connect(deadline)

    async def aclose(self) -> None:
        """Close all connections; requests under way end with `Closed`."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        self._idle.clear()
        for wire in tuple(self._all):
            wire.close(Closed("closed"))
        if self._all:
            await self._empty.wait()

    async def _connect(self, deadline: float | None) -> Wire:
        loop = asyncio.get_running_loop()
        limit = loop.time() + CONNECT_TIMEOUT_S
        try:
            async with asyncio.timeout_at(limit if deadline is None else min(limit, deadline)):
                _, wire = await loop.create_connection(
                    lambda: Wire(self._buffer, self._freed),
                    self.address.host,
                    self.address.port,
                    ssl=await self._context() if self.address.tls else None,
                )
        except TimeoutError as error:
            if deadline is not None and loop.time() >= deadline:
                raise Late("the time of the call is over") from error
            raise Unreached(f"no answer within {CONNECT_TIMEOUT_S:.0f} s", again=False) from error
        except (OSError, UnicodeError) as error:
            final = isinstance(error, socket.gaierror | ssl.SSLError | UnicodeError)
            raise Unreached(_why(error), again=not final) from error
        if self._closed:
            wire.close()
            raise Closed("closed")
        if not wire.lost:
            self._all.add(wire)
        return wire

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # It reads the machine's whole list of authorities.
            context = await asyncio.to_thread(ssl.create_default_context)
            context.set_alpn_protocols(["http/1.1"])
            self._tls = context
        return self._tls

    def _freed(self, wire: Wire) -> None:
        if wire.lost:
            self._all.discard(wire)
            if wire in self._idle:
                self._idle.remove(wire)
            if self._closed and not self._all:
                self._empty.set()
        elif self._closed:
            wire.close()
        else:
            loop = asyncio.get_running_loop()
            wire.since = loop.time()
            self._idle.append(wire)
            if self._reaper is None:
                self._reaper = loop.call_later(_KEEP_S, self._reap)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        old = [wire for wire in self._idle if now - wire.since >= _KEEP_S]
        del self._idle[: len(old)]  # they stand in the order in which they were given back
        for wire in old:
            wire.close()
        self._reaper = loop.call_at(self._idle[0].since + _KEEP_S, self._reap) if self._idle else None


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(number).lower()  # name look-ups have negative numbers of their own
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(str(said).split()).lower() or type(error).__name__
