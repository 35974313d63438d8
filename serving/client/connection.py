"""Owns the way of a request to one engine: retries before the first byte, and errors a person can act on."""

from __future__ import annotations

import asyncio
import random

from ...agents.live import require_live
from ...runtime.errors import (
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    KeyRefused,
    NotAnEngine,
    StreamBroken,
)
from .dialects.dialect import Call
from .refusals import BUSY, busy
from .transport import faults
from .transport.address import Address
from .transport.pool import Pool
from .transport.wire import Reader, Wire

ATTEMPTS = 5
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 10.0
_REQUEST_ID = "X-Request-Id"


class Refused(Exception):
    """An answer with another status than 200; never leaves the client."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Connection:
    """Requests to one base URL.

    A request that finds no connection, loses it before the answer begins, or is told that the engine is busy (429, 502,
    503) is sent again, `attempts` times in all with growing random pauses; `attempts=1` never. A kept connection that
    turns out to have been closed meanwhile does not count. Once the answer has begun nothing is repeated. Leaving the
    wire early, by an error or a cancellation, closes the connection, which is what tells an engine to stop writing.
    """

    def __init__(self, base_url: str, *, api_key: str | None, read_timeout_s: float, attempts: int) -> None:
        self.base_url = base_url
        self._key = api_key.strip() if api_key else None
        self._read_timeout_s = read_timeout_s
        self._attempts = attempts
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def begin(self, call: Call, *, reader: Reader | None = None, deadline: float | None = None) -> Wire:
        """A wire on which an answer of status 200 has begun; the caller has to `leave` it.

        Raises:
            Refused: the answer has another status.
            EngineError: one of its kinds; no answer began.
        """
        require_live(f"The model engine at {self.base_url} was to be asked")
        pool = self._ready()
        delay, attempt, aged = _FIRST_DELAY_S, 0, False
        while True:
            if not aged:
                attempt += 1
            last = attempt >= self._attempts
            try:
                status, wire, body = await self._once(pool, call, reader, deadline, attempt, fresh=aged)
            except faults.Fault as fault:
                if isinstance(fault, faults.Dropped) and fault.reused and not fault.begun and not aged:
                    aged = True
                    continue
                error: EngineError = self.error_of(fault)
                again = isinstance(fault, faults.Dropped) and not fault.begun
                again = again or (isinstance(fault, faults.Unreached) and fault.again)
                if last or not again:
                    raise error from fault
                wait = delay * random.uniform(0.5, 1.0)
            else:
                if status == 200:
                    return wire
                if status not in BUSY:
                    raise Refused(status, body)
                asked = _retry_after(wire)
                error = busy(self.base_url, status, body, asked)
                if last:
                    raise error
                wait = max(delay * random.uniform(0.5, 1.0), asked * random.uniform(1.0, 1.25))
            aged = False
            if deadline is not None and asyncio.get_running_loop().time() + wait >= deadline:
                raise error
            await asyncio.sleep(wait)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def ask(self, call: Call, *, deadline: float | None = None) -> bytes:
        """The whole body of an answer of status 200. Raises what `begin` raises, and `StreamBroken`."""
        wire = await self.begin(call, deadline=deadline)
        try:
            return await wire.body()
        except faults.Fault as fault:
            raise self.error_of(fault) from fault
        finally:
            wire.leave()

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._pool is not None and self._loop is asyncio.get_running_loop():
            await self._pool.aclose()

    async def _once(
        self,
        pool: Pool,
        call: Call,
        reader: Reader | None,
        deadline: float | None,
        attempt: int,
        *,
        fresh: bool,
    ) -> tuple[int, Wire, bytes]:
        headers = call.headers
        if attempt > 1:  # the first may still be known to the engine under its id
            headers = tuple((n, f"{v}.{attempt}" if n == _REQUEST_ID else v) for n, v in headers)
        path = (pool.address.root if call.at_root else pool.address.base) + call.path
        head = pool.address.head(call.method, path, None if call.body is None else len(call.body), headers)
        wire = await pool.wire(fresh=fresh, deadline=deadline)
        body, kept = b"", False
        try:
            wire.send(head, call.body, reader, silence_s=self._read_timeout_s, deadline=deadline)
            status = await wire.begun()
            kept = status == 200
            if not kept:
                try:
                    body = await wire.body()
                except faults.Dropped:
                    body = b""
            return status, wire, body
        finally:
            if not kept:
                wire.leave()

    def error_of(self, fault: faults.Fault) -> EngineError:
        """The error for people that a fault means."""
        if isinstance(fault, faults.Unreached):
            return EngineUnreachable(self._unreachable(str(fault)))
        if isinstance(fault, faults.Dropped):
            if not fault.begun:
                return EngineUnreachable(self._unreachable(str(fault)))
            return StreamBroken(
                f"The engine at {self.base_url} broke off in the middle of its answer ({fault}); "
                "look into its log, then try again."
            )
        if isinstance(fault, faults.Silent):
            said = (
                f"The engine at {self.base_url} sent nothing for {self._read_timeout_s:g} s; "
                "it may be overloaded: ask for fewer tokens or fewer requests at once."
            )
            return StreamBroken(said) if fault.begun else EngineUnreachable(said)
        if isinstance(fault, faults.Late):
            return EngineTimeout(
                f"The engine at {self.base_url} did not answer in full in the time that the call had; "
                "give it more, or ask for fewer tokens."
            )
        if isinstance(fault, faults.NotHttp):
            return NotAnEngine(
                f"The server at {self.base_url} does not answer in HTTP ({fault}); check the URL."
            )
        return EngineError("This model client has been closed; make a new one.")

    def _ready(self) -> Pool:
        if self._closed:
            raise self.error_of(faults.Closed("closed"))
        if self._key is not None and not (self._key.isascii() and self._key.isprintable()):
            raise KeyRefused(
                f"The key for the engine at {self.base_url} holds what no header can carry; "
                "set CREWGRAPH_MODEL_KEY to a valid one."
            )
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:  # the connections of a loop end with it
            headers = (("Authorization", f"Bearer {self._key}"),) if self._key else ()
            try:
                self._pool = Pool(Address(self.base_url, headers))
            except ValueError as error:
                raise EngineError(str(error)) from error
            self._loop = loop
        return self._pool

    def _unreachable(self, why: str) -> str:
        return (
            f"No model engine answers at {self.base_url} ({why}); start it, or correct its URL in CREWGRAPH_MODEL_URL or "
            "models.toml (with neither, the embedded engine is used)."
        )


def _retry_after(wire: Wire) -> float:
    try:
        return max(0.0, min(float(wire.header("Retry-After") or 0.0), _LONGEST_DELAY_S))
    except ValueError:
        return 0.0
