"""Soak of an engine: many mixed requests, eight at a time. Does any fail, does any get another's answer?

    python benchmarks/engine_soak.py [--quick] [--url URL] [--json -]

Figures: `failed` requests; `cross_talked` ones (every request carries a marker of its own, in its schema, its
choices or its prompt, and a reply with another's marker counts); `identical`, how many greedy replies of
requests sent alone, after all that traffic, equal those of a fresh server process. The embedded engine is used,
in a home of its own with the user's models; `--url` soaks another server, of which no fresh one can be had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewgraph.agents.model import Message, ModelReply, ModelRequest
from crewgraph.runtime.errors import CrewgraphError
from crewgraph.serving.client import HttpModelClient
from crewgraph.serving.engines import engine_client, pull_model, stop_engine
from crewgraph.serving.engines.bar import progress_bar
from crewgraph.serving.settings import Settings

AT_ONCE = 8
CITIES = ("Paris", "Rome", "Oslo", "Lima", "Cairo", "Tokyo", "Delhi", "Bern", "Quito", "Hanoi")
MARKER = re.compile(r"\bm\d{4}x\b")


@dataclass
class Figures:
    """What the soak found. Seconds are wall time; `identical` is None where no fresh server can be had."""

    requests: int = 0
    failed: int = 0
    cross_talked: int = 0
    identical: int | None = None
    compared: int = 0
    tokens: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        cuts = statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        return {
            "benchmark": "engine_soak",
            "requests": self.requests,
            "at_once": AT_ONCE,
            "failed": self.failed,
            "cross_talked": self.cross_talked,
            "identical": self.identical,
            "compared": self.compared,
            "seconds": round(self.seconds, 2),
            "tokens_per_second": round(self.tokens / self.seconds, 1) if self.seconds else 0.0,
            "p50_s": round(cuts[49], 3),
            "p95_s": round(cuts[94], 3),
            "faults": self.faults[:5],
        }


def ask(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def schema_of(marker: str) -> dict[str, Any]:
    properties = {"id": {"const": marker}, "size": {"enum": ["small", "large"]}}
    return {
        "type": "object",
        "properties": properties,
        "required": ["id", "size"],
        "additionalProperties": False,
    }


async def plain(client: HttpModelClient, marker: str, city: str) -> ModelReply:
    prompt = f"Note {marker}. Say one sentence about {city}, and repeat the note."
    return await client.complete(ModelRequest(ask(prompt), max_tokens=24))


async def constrained(client: HttpModelClient, marker: str, city: str) -> ModelReply:
    request = ModelRequest(ask(f"How large is {city}?"), schema=schema_of(marker), max_tokens=64)
    return await client.complete(request)


async def chosen(client: HttpModelClient, marker: str, city: str) -> ModelReply:
    choices = (f"{marker} yes", f"{marker} no")
    return await client.complete(ModelRequest(ask(f"Is {city} a capital?"), choices=choices))


async def streamed(client: HttpModelClient, marker: str, city: str) -> ModelReply:
    prompt = f"Note {marker}. Where is {city}? Repeat the note."
    return await whole(client, ModelRequest(ask(prompt), max_tokens=24))


async def streamed_schema(client: HttpModelClient, marker: str, city: str) -> ModelReply:
    return await whole(
        client, ModelRequest(ask(f"How big is {city}?"), schema=schema_of(marker), max_tokens=64)
    )


async def whole(client: HttpModelClient, request: ModelRequest) -> ModelReply:
    reply, pieces = None, []
    async for delta in client.stream(request):
        pieces.append(delta.text)
        reply = delta.reply
    assert reply is not None
    assert "".join(pieces) == reply.text, "the pieces of a stream are not its reply"
    return reply


Kind = Callable[[HttpModelClient, str, str], Awaitable[ModelReply]]
KINDS: tuple[Kind, ...] = (plain, constrained, streamed, chosen, streamed_schema)


async def soak(client: HttpModelClient, count: int) -> Figures:
    figures = Figures(requests=count)
    numbers = iter(range(count))
    began = time.perf_counter()

    async def worker() -> None:
        for number in numbers:
            marker, city = f"m{number:04d}x", CITIES[number % len(CITIES)]
            started = time.perf_counter()
            try:
                reply = await KINDS[number % len(KINDS)](client, marker, city)
            except (CrewgraphError, AssertionError) as error:
                # The client refuses a constrained reply with a wrong marker before we see it.
                if "reply.id is not" in str(error) or strangers(str(error), marker, count):
                    figures.cross_talked += 1
                else:
                    figures.failed += 1
                figures.faults.append(str(error))
                continue
            figures.latencies.append(time.perf_counter() - started)
            figures.tokens += reply.usage.completion_tokens
            if others := strangers(reply.text, marker, count):
                figures.cross_talked += 1
                figures.faults.append(f"{marker} was answered with {others}")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    figures.seconds = time.perf_counter() - began
    return figures


def strangers(text: str, marker: str, count: int) -> list[str]:
    """Markers of other requests in a text."""
    return sorted(m for m in set(MARKER.findall(text)) - {marker} if int(m[1:5]) < count)


async def alone(client: HttpModelClient, count: int) -> list[str]:
    """Greedy replies, one request at a time."""
    prompts = [f"Tell me about {CITIES[n % len(CITIES)]} and the number {n}." for n in range(count)]
    return [(await client.complete(ModelRequest(ask(prompt), max_tokens=32))).text for prompt in prompts]


@asynccontextmanager
async def own_engine(models: Path) -> AsyncIterator[HttpModelClient]:
    """A fresh embedded server that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="crewgraph-soak-") as name:
        (Path(name) / "models").symlink_to(models)
        settings = Settings(home=Path(name), model_url=None, model=None)
        try:
            async with engine_client(settings) as client:
                yield client
        finally:
            await stop_engine(settings)


async def run(count: int, compared: int, url: str | None) -> Figures:
    if url is not None:
        async with HttpModelClient(url) as client:
            return await soak(client, count)
    settings = Settings()
    with progress_bar() as show:
        await pull_model(settings, on_progress=show)
    async with own_engine(settings.models_dir) as client:
        figures = await soak(client, count)
        after = await alone(client, compared)
    async with own_engine(settings.models_dir) as client:
        fresh = await alone(client, compared)
    figures.compared = compared
    figures.identical = sum(one == other for one, other in zip(after, fresh, strict=True))
    return figures


def show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", title="engine soak")
    for name, value in figures.items():
        if name != "faults":
            table.add_row(name, str(value))
    console = Console(file=sys.stderr)
    console.print(table)
    for fault in figures["faults"]:
        console.print(f"fault: {fault}", markup=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="60 requests instead of 500, in under a minute")
    parser.add_argument("--url", help="soak this OpenAI-compatible server instead of the embedded engine")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as one JSON line; - is stdout")
    options = parser.parse_args()
    count, compared = (60, 5) if options.quick else (500, 20)
    figures = asyncio.run(run(count, compared, options.url)).as_dict()
    show(figures)
    if options.json:
        line = json.dumps(figures)
        if options.json == "-":
            print(line)
        else:
            Path(options.json).write_text(line + "\n")


if __name__ == "__main__":
    main()
