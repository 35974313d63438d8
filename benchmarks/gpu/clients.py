"""Streaming clients without a framework, and crewgraph's: each streams one reply and tells what came.

Every library is imported where it is used: each client is measured in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from .server import NAME
from .work import body

_HEADERS = {"Content-Type": "application/json"}
_TIMEOUT_S = 180.0


class Came(NamedTuple):
    """What came of one streamed reply: its text, and how many tokens the server counted."""

    text: str
    tokens: int


Messages = list[dict[str, Any]]
Stream = Callable[[Messages, int], Awaitable[Came]]
"""Streams one reply of so many tokens to these messages."""


@asynccontextmanager
async def client(name: str, url: str) -> AsyncIterator[Stream]:
    """The client of that name, connected to nothing yet."""
    base = name.removesuffix("+uvloop")
    async with _MADE[base](url) as stream:
        yield stream


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Stream]:
    async with _aiohttp_with(url, json.loads) as stream:
        yield stream


@asynccontextmanager
async def _aiohttp_msgspec(url: str) -> AsyncIterator[Stream]:
    import msgspec

    async with _aiohttp_with(url, msgspec.json.Decoder().decode) as stream:
        yield stream


@asynccontextmanager
async def _aiohttp_with(url: str, decode: Callable[[bytes], Any]) -> AsyncIterator[Stream]:
    import aiohttp

    asked = f"{url}/v1/chat/completions"
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def stream(messages: Messages, tokens: int) -> Came:
            said, counted, rest = [], 0, b""
            async with session.post(asked, data=body(NAME, messages, tokens), headers=_HEADERS) as response:
                if response.status != 200:
                    raise RuntimeError(f"{response.status}: {(await response.text())[:300]}")
                async for data in response.content.iter_any():
                    *events, rest = (rest + data).split(b"\n\n")
                    for event in events:
                        if event.startswith(b"data: {"):
                            found = decode(event[6:])
                            if found["choices"]:
                                said.append(found["choices"][0]["delta"].get("content") or "")
                            elif found.get("usage"):
                                counted = found["usage"]["completion_tokens"]
            return Came("".join(said), counted)

        yield stream


@asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Stream]:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits) as session:

        async def stream(messages: Messages, tokens: int) -> Came:
            said, counted = [], 0
            data = body(NAME, messages, tokens)
            async with session.stream(
                "POST", f"{url}/v1/chat/completions", content=data, headers=_HEADERS
            ) as r:
                r.raise_for_status()
                async for line in r.aiter_lines():
                    if line.startswith("data: {"):
                        found = json.loads(line[6:])
                        if found["choices"]:
                            said.append(found["choices"][0]["delta"].get("content") or "")
                        elif found.get("usage"):
                            counted = found["usage"]["completion_tokens"]
            return Came("".join(said), counted)

        yield stream


@asynccontextmanager
async def _openai(url: str) -> AsyncIterator[Stream]:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, timeout=_TIMEOUT_S) as session:

        async def stream(messages: Messages, tokens: int) -> Came:
            said, counted = [], 0
            call: Any = session.chat.completions.create
            async for found in await call(
                model=NAME,
                messages=messages,
                max_tokens=tokens,
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            ):
                if found.choices:
                    said.append(found.choices[0].delta.content or "")
                elif found.usage:
                    counted = found.usage.completion_tokens
            return Came("".join(said), counted)

        yield stream


def crewgraph_client(url: str) -> Any:
    """crewgraph's own client, told to write on past the end of a text, as all others here are."""
    from crewgraph.serving.client.http import HttpModelClient

    return HttpModelClient(f"{url}/v1", model=NAME, engine_kind="vllm", extra={"ignore_eos": True})


@asynccontextmanager
async def _crewgraph(url: str) -> AsyncIterator[Stream]:
    from crewgraph.agents.model import Message, ModelRequest

    session = crewgraph_client(url)

    async def stream(messages: Messages, tokens: int) -> Came:
        asked = ModelRequest(tuple(Message(m["role"], m["content"]) for m in messages), max_tokens=tokens)
        said, counted = [], 0
        async for delta in session.stream(asked):
            if delta.text:
                said.append(delta.text)
            if delta.reply is not None:
                counted = delta.reply.usage.completion_tokens
        return Came("".join(said), counted)

    try:
        yield stream
    finally:
        await session.aclose()


_MADE: dict[str, Callable[[str], Any]] = {
    "aiohttp": _aiohttp,
    "aiohttp+msgspec": _aiohttp_msgspec,
    "crewgraph": _crewgraph,
    "httpx": _httpx,
    "openai": _openai,
}
