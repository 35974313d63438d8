"""Engines for the chaos: two real ones that can be killed and frozen, and an endpoint that answers 500."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crewgraph.agents.model import ModelDelta, ModelRequest
from crewgraph.agents.wrapping import Wrapping
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.engines import start_engine, stop_engine
from crewgraph.serving.engines.place import Place
from crewgraph.serving.settings import Settings


@dataclass
class Counted:
    """What has happened at one replica: pieces, streams open that have brought some, streams that broke after some."""

    pieces: int = 0
    begun: int = 0
    broken: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Counting(Wrapping):
    """Counts what comes through one replica's client."""

    def __init__(self, inner: HttpModelClient, counted: Counted) -> None:
        super().__init__(inner)
        self._counted = counted

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        counted, begun, whole = self._counted, False, False
        try:
            async with aclosing(self.inner.stream(request)) as pieces:
                async for delta in pieces:
                    counted.pieces += 1
                    if not begun:
                        begun = True
                        counted.begun += 1
                    counted.changed.set()
                    whole = delta.reply is not None
                    yield delta
        finally:
            counted.begun -= begun
            counted.broken += begun and not whole


class Engine:
    """One embedded engine in a home of its own. Its daemon starts it again when it is killed."""

    def __init__(self, home: Path, models: Path) -> None:
        home.mkdir()
        (home / "models").symlink_to(models)
        self.settings = Settings(home=home, model_url=None, model=None)
        self.counted = Counted()
        self.url = ""

    async def start(self) -> None:
        self.url = (await start_engine(self.settings)).url

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the engine's own process."""
        state = Place.of(self.settings, "embedded").running()
        if state is not None and state.child is not None:
            os.kill(state.child, number)

    async def stop(self) -> None:
        self.signal(signal.SIGCONT)
        await stop_engine(self.settings)

    def client(self) -> Counting:
        return Counting(HttpModelClient(self.url, attempts=1), self.counted)

    async def reached(self, pieces: int, begun: int = 0) -> None:
        """Wait until it has brought so many pieces, and so many begun streams are open."""
        while self.counted.pieces < pieces or self.counted.begun < begun:
            self.counted.changed.clear()
            await self.counted.changed.wait()


@asynccontextmanager
async def engines(folder: Path, models: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    """Two engines that answer, stopped in the end whatever was done to them."""
    pair = Engine(folder / "one", models), Engine(folder / "two", models)
    try:
        await asyncio.gather(*(engine.start() for engine in pair))
        yield pair
    finally:
        await asyncio.gather(*(engine.stop() for engine in pair))


@asynccontextmanager
async def answers_500(model: str) -> AsyncIterator[str]:
    """An endpoint that lists the model and fails at every other request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            listing = head.startswith("GET /v1/models ")
            entry = {"id": model, "object": "model", "owned_by": "llamacpp"}
            body = json.dumps(
                {"data": [entry]} if listing else {"error": {"message": "out of order"}}
            ).encode()
            status = "200 OK" if listing else "500 Internal Server Error"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
