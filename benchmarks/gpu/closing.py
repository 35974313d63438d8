"""How soon the engine is free when streams are closed, through crewgraph's client."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

from _report import Figures, medians, table

from .children import Children
from .clients import crewgraph_client
from .server import Server
from .work import text

STREAMS = 64
_TOKENS = 6000
_PATIENCE_S = 20.0


async def closed(name: str, url: str, streams: int, salt: str) -> dict[str, Any]:
    """Streams that would go on for long, all closed at once; milliseconds until the server runs none of them."""
    from crewgraph.agents.model import Message, ModelRequest

    server = Server(url)
    session = crewgraph_client(url)
    writing: list[int] = []
    all_write = asyncio.Event()

    async def one(number: int) -> None:
        asked = ModelRequest((Message("user", text(f"{salt}/{number}", 30)),), max_tokens=_TOKENS)
        async with aclosing(session.stream(asked)) as deltas:
            async for _ in deltas:
                writing.append(number)
                break
            if len(writing) == streams:
                all_write.set()
            await asyncio.Event().wait()  # a reader who has stopped reading, until it goes

    tasks = [asyncio.create_task(one(number)) for number in range(streams)]
    await asyncio.wait_for(all_write.wait(), _PATIENCE_S)
    running = (await asyncio.to_thread(server.metrics)).get("num_requests_running", 0.0)
    began = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    given_back = time.perf_counter() - began
    left = running
    while left and time.perf_counter() < began + _PATIENCE_S:
        left = (await asyncio.to_thread(server.metrics)).get("num_requests_running", 0.0)
    free = time.perf_counter() - began
    await session.aclose()
    return {"running": running, "client_ms": 1000 * given_back, "free_ms": 1000 * free, "left": left}


def measure(server: Server, children: Children, *, repeats: int) -> Figures:
    """So many times over; the median."""
    runs = []
    for turn in range(repeats):
        server.rest()
        came = children.tried(
            "closing", "crewgraph", url=server.url, streams=STREAMS, salt=f"{turn} {time.time()}"
        )
        if came is not None:
            runs.append({k: float(v) for k, v in came.items()})
    if not runs:
        return {}
    best = medians(runs)
    table(
        f"{STREAMS} streams closed at once; medians of {len(runs)}",
        ("", "running before", "client done ms", "engine free ms", "still running"),
        [("crewgraph", int(best["running"]), best["client_ms"], best["free_ms"], int(best["left"]))],
    )
    return {"close_free_ms": best["free_ms"], "close_running": best["running"]}
