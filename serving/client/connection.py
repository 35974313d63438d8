"""Owns the HTTP connection to one engine: retries before the first byte, and errors a person can act on."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from ...runtime.errors import EngineError, ModelError
from .wire import error_text

ATTEMPTS = 5
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 10.0
_BUSY = (429, 502, 503)
_KEEP_ALIVE_S = 4.0  # below the 5 s after which llama.cpp and uvicorn close an idle connection

Fault = Callable[[int, str], Awaitable[Exception]]
"""Makes the error for an answer of 404 or 405 from its status and message."""


class Connection:
    """Requests to one base URL (ending in ``/v1``).

    A request that finds no connection, loses it before the answer begins, or is told that the engine is busy
    (429, 502, 503) is sent again, up to `ATTEMPTS` times with growing random pauses. Once the answer has
    begun nothing is repeated. Leaving `open`'s block early, by an error or a cancellation, closes the
    connection, which is what tells an engine to stop writing.
    """

    def __init__(self, base_url: str, *, api_key: str | None, read_timeout_s: float) -> None:
        self.base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=read_timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: dict[str, Any] | None, refused: Fault
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer with status 200, its body unread. Raises `EngineError`, or what `refused` makes."""
        response = await self._send(method, path, body, refused)
        whole = False
        try:
            yield response
            whole = True
        except TimeoutError as error:
            raise EngineError(self._silent()) from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(
                f"The engine at {self.base_url} broke off in the middle of its answer "
                f"({_why(error)}); look into its log, then try again."
            ) from error
        finally:
            if whole:
                response.release()
            else:
                response.close()

    async def aclose(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, refused: Fault
    ) -> aiohttp.ClientResponse:
        delay = _FIRST_DELAY_S
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            wait = delay
            try:
                response = await self._ready().request(method, self.base_url + path, json=body)
            except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                raise EngineError(
                    f"{self.base_url!r} is not a URL; give one like http://127.0.0.1:8000/v1."
                ) from error
            except aiohttp.ConnectionTimeoutError as error:
                raise EngineError(self._unreachable("no answer within 5 s")) from error
            except TimeoutError as error:
                raise EngineError(self._silent()) from error
            except (aiohttp.ClientConnectionError, ConnectionError) as error:
                if last or isinstance(error, aiohttp.ClientConnectorDNSError | aiohttp.ClientSSLError):
                    raise EngineError(self._unreachable(_why(error))) from error
                if isinstance(error, aiohttp.ServerDisconnectedError):
                    wait = 0.0 if attempt == 1 else delay  # most often only a kept connection that aged
            except aiohttp.ClientError as error:
                raise EngineError(
                    f"The server at {self.base_url} does not answer in HTTP ({_why(error)}); check the URL."
                ) from error
            else:
                if response.status == 200:
                    return response
                if response.status not in _BUSY or last:
                    raise await self._refusal(response, refused)
                wait = max(delay, _retry_after(response))
                response.release()
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _LONGEST_DELAY_S)
        raise AssertionError("the last attempt returns or raises")

    def _ready(self) -> aiohttp.ClientSession:
        if self._closed:
            raise EngineError("This model client has been closed; make a new one.")
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
            self._session = aiohttp.ClientSession(
                connector=connector, headers=self._headers, timeout=self._timeout
            )
        return self._session

    async def _refusal(self, response: aiohttp.ClientResponse, refused: Fault) -> Exception:
        status = response.status
        try:
            said = error_text(await response.text(errors="replace"))
        except (aiohttp.ClientError, OSError, TimeoutError):
            said = response.reason or ""
        finally:
            response.close()
        if status in (401, 403):
            return EngineError(
                f"The engine at {self.base_url} refused the key ({status}); "
                "set CREWGRAPH_MODEL_KEY to a valid one."
            )
        if status in _BUSY:
            return EngineError(
                f"The engine at {self.base_url} is overloaded ({status}: {said}); try again later."
            )
        if status in (404, 405):
            return await refused(status, said)
        if status >= 500:
            return EngineError(f"The engine at {self.base_url} failed ({status}: {said}); look into its log.")
        return ModelError(f"The engine at {self.base_url} refused the request ({status}): {said}")

    def _unreachable(self, why: str) -> str:
        return (
            f"No model engine answers at {self.base_url} ({why}); start it, or correct CREWGRAPH_MODEL_URL "
            "(unset, the embedded engine is used)."
        )

    def _silent(self) -> str:
        return (
            f"The engine at {self.base_url} sent nothing for {self._timeout.sock_read:.0f} s; "
            "it may be overloaded: ask for fewer tokens or fewer requests at once."
        )


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        if number is not None and number > 0:  # name look-ups have negative numbers of their own
            return os.strerror(number).lower()
        return str(error.os_error.strerror).lower()
    return " ".join(str(error).split()) or type(error).__name__


def _retry_after(response: aiohttp.ClientResponse) -> float:
    try:
        return min(float(response.headers.get("Retry-After", "0")), _LONGEST_DELAY_S)
    except ValueError:
        return 0.0
