"""Calls to one remote A2A agent over JSON-RPC: its card, one answer, or a stream of updates (specification 1.0, 8 and 9)."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from ...runtime.errors import ToolError
from ..client.transport import faults
from ..client.transport.address import Address
from ..client.transport.pool import Pool
from ..client.transport.wire import Reader, Wire
from .card import CARD_PATH, VERSION

TASK_NOT_CANCELABLE = -32002
UNSUPPORTED = -32004
_CALL_SECONDS = 60.0


class BrokenOff(ToolError):
    """The connection was lost or fell silent; what was sent may have arrived."""


class RemoteRefused(ToolError):
    """The remote agent answered with an error. `rpc` is its JSON-RPC code, 0 where it has none."""

    def __init__(self, message: str, rpc: int = 0) -> None:
        super().__init__(message)
        self.rpc = rpc


class Line:
    """The way to one remote agent, for one piece of work; `aclose` it. The key goes to the agent's own host only."""

    def __init__(self, url: str, *, key: str | None, silence: float) -> None:
        self.url = url.rstrip("/")
        self._key, self._silence = key, silence
        self._pools: dict[str, Pool] = {}
        self._endpoint = ""
        self.streams = False

    async def open(self) -> None:
        """Read the agent's card: where it is talked to, and whether it streams.

        Raises:
            ToolError: there is no card, or none that names a way in which we can talk.
        """
        if self._endpoint:
            return
        at = self.url if self.url.endswith(".json") else self.url + CARD_PATH
        card = _object(await self._whole("GET", at, None), f"The agent card at {at}")
        ways = card.get("supportedInterfaces") or []
        for way in ways:
            version = str(way.get("protocolVersion", ""))
            if way.get("protocolBinding") == "JSONRPC" and version.split(".")[0] == VERSION.split(".")[0]:
                break
        else:
            known = ", ".join(f"{w.get('protocolBinding')} {w.get('protocolVersion')}" for w in ways)
            raise ToolError(
                f"The agent at {self.url} speaks {known or 'A2A ' + str(card.get('protocolVersion', '0.3'))}, "
                f"and JSON-RPC of A2A {VERSION} is needed here: ask its operator for it."
            )
        if self._key and _origin(way["url"]) != _origin(self.url):
            raise ToolError(
                f"The agent card at {at} names {way['url']}, another host, and a key is given to its own host only: "
                "give remote_agent the URL of that host."
            )
        self._endpoint = way["url"]
        self.streams = bool((card.get("capabilities") or {}).get("streaming"))

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of a call.

        Raises:
            RemoteRefused: it is an error.
            BrokenOff: no answer came.
        """
        await self.open()
        return self._result(await self._whole("POST", self._endpoint, _call(method, params)))

    async def stream(self, method: str, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The results of a streaming call, as they come. Raises what `call` raises."""
        await self.open()
        wire = await self._begin("POST", self._endpoint, _call(method, params), _Text(), None)
        try:
            if "text/event-stream" not in wire.header("content-type"):
                whole = ""
                while text := await self._text(wire):
                    whole += text
                yield self._result(whole.encode())
                return
            left = ""
            while text := await self._text(wire):
                left = (left + text).replace("\r\n", "\n")
                *events, left = left.split("\n\n")
                for event in events:
                    lines = [line[5:].lstrip(" ") for line in event.split("\n") if line.startswith("data:")]
                    if lines:
                        yield self._result("\n".join(lines).encode())
        finally:
            wire.leave()

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _whole(self, method: str, url: str, body: bytes | None) -> bytes:
        deadline = asyncio.get_running_loop().time() + _CALL_SECONDS
        wire = await self._begin(method, url, body, None, deadline)
        try:
            return await wire.body()
        except faults.Fault as fault:
            raise self._broken(fault) from fault
        finally:
            wire.leave()

    async def _begin(
        self, method: str, url: str, body: bytes | None, reader: Reader | None, deadline: float | None
    ) -> Wire:
        pool = self._pool(url)
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        accept = "text/event-stream, application/json" if reader is not None else "application/json"
        headers = (("A2A-Version", VERSION), ("Accept", accept))
        head = pool.address.head(method, path, None if body is None else len(body), headers)
        try:
            wire = await pool.wire(fresh=True, deadline=deadline)
        except faults.Fault as fault:
            raise ToolError(
                f"No agent answers at {url} ({fault}): start it, or correct the URL given to remote_agent."
            ) from fault
        begun = False
        try:
            wire.send(head, body, reader, silence_s=self._silence, deadline=deadline)
            status = await wire.begun()
            if status != 200:
                raise self._refused(url, status, await wire.body())
            begun = True
            return wire
        except faults.Fault as fault:
            raise self._broken(fault) from fault
        finally:
            if not begun:
                wire.leave()

    async def _text(self, wire: Wire) -> str:
        try:
            return await wire.text()
        except faults.Fault as fault:
            raise self._broken(fault) from fault

    def _pool(self, url: str) -> Pool:
        if url not in self._pools:
            headers = (("Authorization", f"Bearer {self._key}"),) if self._key else ()
            try:
                self._pools[url] = Pool(Address(url, headers))
            except ValueError as error:
                raise ToolError(f"The remote agent cannot be reached: {error}") from None
        return self._pools[url]

    def _result(self, body: bytes) -> dict[str, Any]:
        told = _object(body, f"The answer of the agent at {self.url}")
        if error := told.get("error"):
            said, code = str(error.get("message", error)), error.get("code", 0)
            raise RemoteRefused(f"The agent at {self.url} says: {said}", code if isinstance(code, int) else 0)
        if not isinstance(told.get("result"), dict):
            raise ToolError(f"The answer of the agent at {self.url} has no result: it is no A2A agent.")
        result: dict[str, Any] = told["result"]
        return result

    def _refused(self, url: str, status: int, body: bytes) -> ToolError:
        if status in (401, 403):
            return RemoteRefused(f"The agent at {url} lets nobody in without a key: give remote_agent a key.")
        if not self._endpoint:
            return RemoteRefused(
                f"There is no agent card at {url} (HTTP status {status}): check that it is the URL of an A2A agent."
            )
        try:
            error = json.loads(body)["error"]
            return RemoteRefused(f"The agent at {url} says: {error['message']}", error.get("code", 0))
        except (ValueError, LookupError, TypeError, AttributeError):
            return RemoteRefused(
                f"{url} answers with HTTP status {status}: check that it is an A2A agent's URL."
            )

    def _broken(self, fault: faults.Fault) -> BrokenOff:
        return BrokenOff(
            f"The agent at {self.url} broke off its answer ({fault}): look into its log, try again."
        )


class _Text:
    """A stream's bytes, as text."""

    done = False

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The text in these bytes."""
        return self._decoder.decode(data)


def _call(method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ToolError(f"{what} is no JSON object: check that the URL is that of an A2A agent.")
    return told


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
