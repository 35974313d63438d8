"""What the tests of the client speak to: protocol fakes, no engines. One plays acts, one sends bytes as they are."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from crewgraph.agents.model import Message
from crewgraph.serving.client import EngineKind, HttpModelClient

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]
Play = Callable[[asyncio.StreamWriter], Awaitable[None]]

QUESTION = (Message("user", "What is the capital of France?"),)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DONE = b"data: [DONE]\n\n"


class Pause:
    """An answer that is not given before somebody says what it is."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def over(self) -> Any:
        self.reached.set()
        return await asyncio.shield(self.answer)


class ProtocolFake:
    """Plays one act for each chat request and remembers what it was sent. The last act is played on and on."""

    def __init__(self, owner: str) -> None:
        self.acts: list[Act] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.gone = asyncio.Event()
        self.owner = owner
        self.url = ""
        self.entries: list[dict[str, Any]] = [{"id": "small"}, {"id": "large"}]
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}  # by path: the JSON, an error's status, or a `Pause`

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(request.headers.copy())
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return await act(request)

    async def models(self, _: web.Request) -> web.Response:
        entries = [{"object": "model", "owned_by": self.owner, **entry} for entry in self.entries]
        return web.json_response({"object": "list", "data": entries})

    async def other(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.can_read_body:
            self.bodies.append(await request.json())
        answer = self.answers.get(request.path, 404)
        if isinstance(answer, Pause):
            answer = await answer.over()
        if isinstance(answer, int):
            return web.json_response({"error": {"message": "no"}}, status=answer)
        return web.json_response(answer)

    def client(self, *, kind: EngineKind | None = None, **options: Any) -> HttpModelClient:
        return HttpModelClient(self.url, engine_kind=kind, **options)


class RawFake:
    """Reads whole requests, and sends for each what its play writes, byte for byte."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()  # a client closed its connection
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> RawFake:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, backlog=2048)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{port}/v1"
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                await play(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.close()


def sends(*pieces: bytes, close: bool = False) -> Play:
    """Each piece in a packet of its own, as far as the loop can see to it."""

    async def play(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001 if len(pieces) < 100 else 0)
        if close:
            writer.close()

    return play


def answer(
    body: bytes, *, kind: bytes = b"application/json", status: bytes = b"200 OK", more: bytes = b""
) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n" % (
        status,
        kind,
        more,
        len(body),
    )
    return head + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def completion(text: str, finish: str = "stop", tokens: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "model": "small",
        "choices": [{"index": 0, "message": {"content": text, **more}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": tokens},
    }


def says(text: str, finish: str = "stop", tokens: int = 5, **more: Any) -> Act:
    async def act(_: web.Request) -> web.Response:
        return web.json_response(completion(text, finish, tokens, **more))

    return act


def refuses(status: int, message: str = "no", headers: dict[str, str] | None = None) -> Act:
    async def act(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)

    return act


async def drops(request: web.Request) -> web.Response:
    """Closes the connection before a byte of the answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def breaks_off(start: bytes, content_type: str = "application/json") -> Act:
    """Begins an answer and closes the connection in the middle of it."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": "10000"})
        await response.prepare(request)
        await response.write(start)
        assert request.transport is not None
        request.transport.abort()
        return response

    return act


def streams(*chunks: bytes) -> Act:
    """Sends the bytes as they are, piece by piece."""

    async def act(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in chunks:
            await response.write(part)
        return response

    return act


def event(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text is not None else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "small", "choices": [choice], **more}).encode() + b"\n\n"


def called(index: int, *, id: str | None = None, name: str | None = None, arguments: str = "") -> bytes:
    """A piece of a tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    piece = {"index": index, "function": function} | ({"id": id} if id else {})
    choice = {"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
