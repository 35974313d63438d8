"""Owns reading server-sent events: bytes as they come in, JSON events out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from ...runtime.errors import EngineError

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""An event longer than this is no chat delta; reading on would fill the memory."""


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Events of one streamed answer, up to its ``[DONE]`` or its end.

    Raises `EngineError` when an event is not JSON or grows past `MAX_EVENT_BYTES`.
    """
    buffer = b""
    async for chunk in chunks:
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue  # comments (keep-alive pings), event names and the blank lines between events
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield _parsed(data)
        if len(buffer) > MAX_EVENT_BYTES:
            raise EngineError(
                "The engine sent a streamed event without end; check the server behind the URL."
            )


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise EngineError(
            f"The engine sent a streamed event that is not JSON ({data[:80]!r}); look into its log."
        ) from error
    if not isinstance(value, dict):
        raise EngineError(f"The engine sent a streamed event that is not an object ({data[:80]!r}).")
    return value
