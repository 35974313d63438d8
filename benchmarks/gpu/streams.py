"""(a) One process, many streams: how many tokens a second each client takes from a server that gives all it can."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from _report import Figures, medians, table

from .children import Children
from .clients import client
from .server import Server
from .work import cpu_seconds, text

PROMPT_WORDS = 40
TOKENS = 128
OPENING_S = 0.002
OURS = ("crewgraph", "crewgraph+uvloop")
RAW = ("aiohttp", "aiohttp+msgspec+uvloop")
PEERS = ("openai", "httpx")


async def streamed(name: str, url: str, streams: int, rounds: int, salt: str) -> dict[str, Any]:
    """So many streams at once, each asking `rounds` times one after the other.

    Their connections are opened before the clock starts, one after the other: several API servers listen on one socket,
    and of a burst of connections the first to wake may take nearly all. Who gets lucky would then decide.
    """
    failed: list[str] = []
    tokens = 0

    async with client(name, url) as stream:

        async def one(number: int, calls: int, reply: int) -> None:
            nonlocal tokens
            for call in range(calls):
                words = text(f"{salt}/{number}/{call}/{reply}", PROMPT_WORDS)
                try:
                    came = await stream([{"role": "user", "content": words}], reply)
                except Exception as error:  # a client that loses streams is reported, not stopped
                    failed.append(f"{type(error).__name__}: {error}"[:200])
                    continue
                tokens += came.tokens

        async def opened(number: int) -> None:
            await asyncio.sleep(number * OPENING_S)
            await one(-1 - number, 1, TOKENS)

        await asyncio.gather(*(opened(n) for n in range(streams)))
        tokens = 0
        failed.clear()
        began, cpu = time.perf_counter(), cpu_seconds()
        await asyncio.gather(*(one(n, rounds, TOKENS) for n in range(streams)))
        wall, cpu = time.perf_counter() - began, cpu_seconds() - cpu
    return {
        "tokens_per_s": tokens / wall,
        "wall_s": wall,
        "cpu_s": cpu,
        "us_per_token": 1e6 * cpu / max(1, tokens),
        "failed": len(failed),
        "why": failed[:1],
        "missing": streams * rounds * TOKENS - tokens,
    }


def compare(server: Server, children: Children, *, repeats: int, streams: int = 256) -> Figures:
    """Every client against the same server: ours and the bare ones take turns, their medians count."""
    found: dict[str, list[dict[str, Any]]] = {}

    def go(name: str, turn: int, rounds: int) -> None:
        server.rest()
        came = children.tried(
            "streams", name, url=server.url, streams=streams, rounds=rounds, salt=f"{name}{turn}"
        )
        if came is None:
            return
        if came["why"]:
            print(f"  {name}: {came['failed']} streams failed, such as: {came['why'][0]}", flush=True)
        found.setdefault(name, []).append({k: float(v) for k, v in came.items() if k != "why"})

    both = [*RAW, *OURS]
    for turn in range(repeats):
        for name in both if turn % 2 == 0 else reversed(both):
            go(name, turn, 1 if repeats == 1 else 3)
    for name in PEERS:
        go(name, 0, 1)
    best = {name: medians(runs) for name, runs in found.items()}
    table(
        f"(a) {streams} streams at once from one process, {TOKENS} tokens a reply; medians",
        ("client", "tokens/s", "least", "most", "CPU µs/token", "CPU s", "wall s", "failed", "runs"),
        [
            (
                n,
                m["tokens_per_s"],
                min(run["tokens_per_s"] for run in found[n]),
                max(run["tokens_per_s"] for run in found[n]),
                m["us_per_token"],
                m["cpu_s"],
                m["wall_s"],
                int(m["failed"]),
                len(found[n]),
            )
            for n, m in best.items()
        ],
    )
    figures = {f"a_{_plain(name)}_tokens_per_s": m["tokens_per_s"] for name, m in best.items()}
    figures |= {f"a_{_plain(name)}_us_per_token": m["us_per_token"] for name, m in best.items()}
    for ours, raw in (("crewgraph", "aiohttp"), ("crewgraph+uvloop", "aiohttp+msgspec+uvloop")):
        if ours in best and raw in best:
            share = best[ours]["tokens_per_s"] / best[raw]["tokens_per_s"]
            figures[f"a_{_plain(ours)}_share"] = share
            print(f"{ours} takes {share:.3f} of what {raw} takes (bar 0.97)")
    return figures


def _plain(name: str) -> str:
    return name.replace("+", "_")
