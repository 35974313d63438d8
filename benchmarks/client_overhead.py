"""What the model client itself costs: CPU of the client's process for a request and for a streamed chunk.

Every client speaks to the same fake engine (`_fake_engine.py`, a process of its own), each in a fresh process. A request
is a whole reply of 16 words, one after another on a kept connection; chunks are those of many streams at once, a word a
chunk. The bare client is aiohttp reading bytes and parsing nothing: `over_bare` is what a client costs beyond it. CPU is
that of the whole process, start and imports taken off.

Figures: `cpu_ms_per_request` and `us_per_chunk` of crewgraph on asyncio's own loop (bars: 0.3 and 25), `..._over_bare`,
`..._uvloop`, the peers' by their names, and `streams_at_once`, how many of 1,000 simultaneous streams came whole.

    python benchmarks/client_overhead.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import _report as report

WORDS = 16
STREAMS, CHUNKS = 128, 200
INTERVAL_MS = 20.0
MESSAGES = [
    {"role": "system", "content": "You are one of a crew. " * 20},
    {"role": "user", "content": "Say words."},
]

DELTAS = [0]  # of this child: how many pieces crewgraph gave; fewer than words where several came in one read
Ask = Callable[[int], Awaitable[int]]
"""Asks for so many words; how many came."""


def body(words: int, *, stream: bool) -> dict[str, Any]:
    asked = {"model": "fake", "messages": MESSAGES, "max_tokens": words, "temperature": 0.0, "stream": stream}
    return {
        **asked,
        "ignore_eos": True,
        "seed": 0,
        **({"stream_options": {"include_usage": True}} if stream else {}),
    }


@contextlib.asynccontextmanager
async def crewgraph(url: str) -> AsyncIterator[tuple[Ask, Ask]]:
    from crewgraph.agents.model import Message, ModelRequest
    from crewgraph.serving.client import HttpModelClient

    messages = tuple(Message(m["role"], m["content"]) for m in MESSAGES)  # type: ignore[arg-type]  # the roles are literals above

    async def whole(words: int) -> int:
        return (await client.complete(ModelRequest(messages, max_tokens=words))).usage.completion_tokens

    async def streamed(words: int) -> int:
        said, came = "", 0
        async for delta in client.stream(ModelRequest(messages, max_tokens=words)):
            said += delta.text
            DELTAS[0] += bool(delta.text)
            if delta.reply is not None:
                came = delta.reply.usage.completion_tokens
        assert said.count("word") == came
        return came

    async with HttpModelClient(url, model="fake", engine_kind="vllm", extra={"ignore_eos": True}) as client:
        yield whole, streamed


def _aiohttp(parse: Callable[[bytes], Any] | None) -> Callable[[str], Any]:
    @contextlib.asynccontextmanager
    async def opened(url: str) -> AsyncIterator[tuple[Ask, Ask]]:
        import aiohttp

        async def whole(words: int) -> int:
            async with session.post(url + "/chat/completions", json=body(words, stream=False)) as response:
                answer = await response.read()
            if parse is not None:
                parse(answer)
            return words

        async def streamed(words: int) -> int:
            said = count = 0
            async with session.post(url + "/chat/completions", json=body(words, stream=True)) as response:
                async for data in response.content.iter_any():
                    if parse is None:
                        said += data.count(b'"content":" word')
                        continue
                    for line in data.split(b"\n"):
                        if line.startswith(b"data: {"):
                            count += "word" in str(parse(line[6:]))
            return said or count

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            yield whole, streamed

    return opened


def aiohttp_json(url: str) -> Any:
    def parse(data: bytes) -> str:
        choices = json.loads(data)["choices"]
        return ((choices[0].get("delta") or choices[0]["message"]).get("content") or "") if choices else ""

    return _aiohttp(parse)(url)


def aiohttp_msgspec(url: str) -> Any:
    import msgspec

    text = msgspec.defstruct("Text", [("content", str | None, None)])
    choice = msgspec.defstruct("Choice", [("delta", text | None, None), ("message", text | None, None)])  # type: ignore[operator]  # made at run time: no type to check against
    decoder = msgspec.json.Decoder(msgspec.defstruct("Chunk", [("choices", list[choice])]))  # type: ignore[valid-type]  # as above

    def parse(data: bytes) -> str:
        choices = decoder.decode(data).choices
        return ((choices[0].delta or choices[0].message).content or "") if choices else ""

    return _aiohttp(parse)(url)


@contextlib.asynccontextmanager
async def httpx(url: str) -> AsyncIterator[tuple[Ask, Ask]]:
    import httpx

    async def whole(words: int) -> int:
        answer = (await client.post(url + "/chat/completions", json=body(words, stream=False))).json()
        return int(answer["usage"]["completion_tokens"])

    async def streamed(words: int) -> int:
        count = 0
        async with client.stream("POST", url + "/chat/completions", json=body(words, stream=True)) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    count += bool(choices and "word" in (choices[0]["delta"].get("content") or ""))
        return count

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        yield whole, streamed


@contextlib.asynccontextmanager
async def openai(url: str) -> AsyncIterator[tuple[Ask, Ask]]:
    from openai import AsyncOpenAI

    options: Any = {"model": "fake", "messages": MESSAGES, "temperature": 0.0, "seed": 0}
    options["extra_body"] = {"ignore_eos": True}

    async def whole(words: int) -> int:
        answer = await client.chat.completions.create(max_tokens=words, **options)
        return int(answer.usage.completion_tokens)

    async def streamed(words: int) -> int:
        count = 0
        usage = {"include_usage": True}
        chunks = await client.chat.completions.create(
            max_tokens=words, stream=True, stream_options=usage, **options
        )
        async for chunk in chunks:
            count += bool(chunk.choices and "word" in (chunk.choices[0].delta.content or ""))
        return count

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120) as client:
        yield whole, streamed


CLIENTS: dict[str, Callable[[str], Any]] = {
    "bare": _aiohttp(None),
    "crewgraph": crewgraph,
    "aiohttp_json": aiohttp_json,
    "aiohttp_msgspec": aiohttp_msgspec,
    "openai": openai,
    "httpx": httpx,
}


async def measure(name: str, url: str, what: str, count: int) -> dict[str, float]:
    """CPU seconds a unit of one client, in this process."""
    async with CLIENTS[name](url) as (whole, streamed):
        if what == "requests":
            for _ in range(50):
                await whole(WORDS)
            began = time.process_time()
            for _ in range(count):
                await whole(WORDS)
            return {"unit_s": (time.process_time() - began) / count}
        await asyncio.gather(*(streamed(20) for _ in range(16)))
        DELTAS[0] = 0
        began, wall = time.process_time(), time.perf_counter()
        came = await asyncio.gather(*(streamed(CHUNKS) for _ in range(count)), return_exceptions=True)
        spent = time.process_time() - began
        words = sum(one for one in came if not isinstance(one, BaseException))
        right = sum(one == CHUNKS for one in came)
        return {
            "unit_s": spent / max(1, words),
            "whole": right,
            "chunks_s": words / (time.perf_counter() - wall),
            "unit_of_deltas": words / max(1, DELTAS[0]),
        }


def child(name: str, url: str, what: str, count: str) -> None:
    client, _, loop = name.partition("+")
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if loop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(measure(client, url, what, int(count)))))


@contextlib.contextmanager
def engine(interval_ms: float) -> Any:
    """The fake engine; its URL."""
    script = Path(__file__).with_name("_fake_engine.py")
    command = [sys.executable, str(script), "--tokens", str(CHUNKS), "--interval-ms", str(interval_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = re.match(r"ready (\d+)", process.stdout.readline())
        assert port is not None
        yield f"http://127.0.0.1:{port[1]}/v1"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main() -> int:
    """Run every client, print the tables."""
    parser = report.parser(__doc__ or "", quick="one run of each, 300 requests, 64 streams")
    parser.add_argument("rest", nargs="*", help="")
    options = parser.parse_args()
    if options.child:
        child(options.child, *options.rest)
        return 0
    runs, requests, streams = (1, 300, 64) if options.quick else (3, 2000, STREAMS)
    names = [n for n in CLIENTS if importlib.util.find_spec(n.partition("_")[0].replace("bare", "aiohttp"))]
    if importlib.util.find_spec("uvloop"):
        names[2:2] = ["crewgraph+uvloop", "aiohttp_msgspec+uvloop"]
    found: dict[tuple[str, str], dict[str, float]] = {}
    with engine(0.0) as fast, engine(INTERVAL_MS) as paced:
        for name in names:
            for what, url, count in (("requests", fast, requests), ("chunks", paced, streams)):
                made = [report.in_child(__file__, name, url, what, str(count)) for _ in range(runs)]
                found[name, what] = report.medians(made)
        many = report.in_child(__file__, "crewgraph", paced, "chunks", "1000")
    ms = {name: found[name, "requests"]["unit_s"] * 1e3 for name in names}
    us = {name: found[name, "chunks"]["unit_s"] * 1e6 for name in names}
    head = ("client", "ms a request", "over bare", "us a chunk", "over bare", "streams whole")
    rows = [
        (
            n,
            ms[n],
            ms[n] - ms["bare"],
            us[n],
            us[n] - us["bare"],
            f"{found[n, 'chunks']['whole']:.0f}/{streams}",
        )
        for n in names
    ]
    report.table("CPU of the client's process (bars: 0.3 ms a request, 25 us a chunk)", head, rows)
    joined = found["crewgraph", "chunks"]["unit_of_deltas"]
    print(f"\ncrewgraph gave {joined:.2f} chunks in one piece (more than 1 where they came in one read)")
    print(
        f"crewgraph, 1,000 streams at once: {many['whole']:.0f} whole, {many['unit_s'] * 1e6:.1f} us a chunk, "
        f"{many['chunks_s']:,.0f} chunks/s, {many['unit_of_deltas']:.2f} in one piece"
    )
    figures = {
        "cpu_ms_per_request": ms["crewgraph"],
        "us_per_chunk": us["crewgraph"],
        "cpu_ms_per_request_over_bare": ms["crewgraph"] - ms["bare"],
        "us_per_chunk_over_bare": us["crewgraph"] - us["bare"],
        "streams_at_once": many["whole"],
        "us_per_chunk_at_1000": many["unit_s"] * 1e6,
        "chunks_in_one_piece": joined,
    }
    for name in names:
        if name != "crewgraph":
            label = name.removeprefix("crewgraph+").replace("+", "_")
            figures[f"cpu_ms_per_request_{label}"] = ms[name]
            figures[f"us_per_chunk_{label}"] = us[name]
    return report.finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
