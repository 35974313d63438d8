"""(b) and (d) Agents with a shared briefing, talked to turn after turn: time, CPU, and what the prefix cache saved."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from _report import Figures, medians, percentile, table

from .children import Children
from .crews import NAMES, crew
from .server import Server, used
from .work import REPLY_TOKENS, cpu_seconds, system_prompt, turns_of

AGENTS = 64
TURNS = 5
_PEERS = tuple(name for name in NAMES if name not in ("crewgraph", "aiohttp"))


async def talked(name: str, url: str, agents: int, turns: int, salt: str) -> dict[str, Any]:
    """All agents at once, each asked its next turn when it has answered the last one."""
    server = Server(url)
    lasted: list[float] = []
    failed: list[str] = []
    said: list[list[str]] = [[] for _ in range(agents)]

    async def talk(begin: Any, number: int, heard: list[str], asked: list[str]) -> None:
        say = await begin(number)
        for words in asked:
            began = time.perf_counter()
            try:
                heard.append(await say(words))
            except Exception as error:  # a framework that fails is reported, not stopped
                failed.append(f"{type(error).__name__}: {error}"[:300])
                return
            lasted.append(time.perf_counter() - began)

    async with crew(name, url, f"warm {salt}") as begin:
        await asyncio.gather(*(talk(begin, n, [], turns_of(n, 2, f"warm {salt}")) for n in range(4)))
    lasted.clear()
    asked = [turns_of(number, turns, salt) for number in range(agents)]
    async with crew(name, url, salt) as begin:
        before = server.metrics()
        began, cpu = time.perf_counter(), cpu_seconds()
        await asyncio.gather(*(talk(begin, n, said[n], asked[n]) for n in range(agents)))
        wall, cpu = time.perf_counter() - began, cpu_seconds() - cpu
        done = used(before, server.metrics())
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "turn_p50_s": percentile(lasted, 0.5) if lasted else 0.0,
        "turn_p90_s": percentile(lasted, 0.9) if lasted else 0.0,
        "calls": len(lasted),
        "failed": len(failed),
        "why": failed[:1],
        "said": said,
        **done,
    }


def compare(
    server: Server,
    children: Children,
    *,
    repeats: int,
    agents: int = AGENTS,
    turns: int = TURNS,
    peers: bool = True,
) -> Figures:
    """Ours and the bare client take turns, then each framework; the same tokens for all, said where they are not."""
    found: dict[str, list[dict[str, float]]] = {}
    shares: dict[str, list[dict[str, float]]] = {}

    def go(name: str, turn: int) -> None:
        server.rest()
        salt = f"{name} {turn} {int(time.time())}"
        came = children.tried("talks", name, url=server.url, agents=agents, turns=turns, salt=salt)
        if came is None:
            return
        if came["why"]:
            print(f"  {name}: {came['failed']} talks failed, such as: {came['why'][0]}", flush=True)
        said = came.pop("said")
        found.setdefault(name, []).append({k: float(v) for k, v in came.items() if k != "why"})
        if name in ("crewgraph", "aiohttp") and not came["failed"]:
            allowed = allowed_share(server, said, agents, turns, salt)
            allowed["share"] = came["prefix_cache_hits"] / max(1.0, came["prefix_cache_queries"])
            shares.setdefault(name, []).append(allowed)

    for turn in range(repeats):
        for name in ("aiohttp", "crewgraph") if turn % 2 == 0 else ("crewgraph", "aiohttp"):
            go(name, turn)
    for name in _PEERS if peers else ():
        go(name, 0)
    best = {name: medians(runs) for name, runs in found.items()}
    return _talks_told(best, found, agents, turns) | _shares_told(shares)


def _talks_told(
    best: dict[str, Figures], found: dict[str, list[dict[str, float]]], agents: int, turns: int
) -> Figures:
    raw = best.get("aiohttp")
    rows = []
    for name, m in best.items():
        times = (m["wall_s"] / raw["wall_s"], m["cpu_s"] / raw["cpu_s"]) if raw else ("", "")
        rows.append(
            (
                *(name, m["wall_s"], times[0], m["cpu_s"], times[1], m["turn_p50_s"], m["turn_p90_s"]),
                *(int(m["prompt_tokens"]), int(m["generation_tokens"]), len(found[name])),
            )
        )
    head = ("client", "wall s", "× raw", "CPU s", "× raw", "turn p50 s", "p90 s", "tokens in", "out", "runs")
    table(f"(b) {agents} agents × {turns} turns, streamed; medians", head, rows)
    figures: Figures = {}
    for name, m in best.items():
        plain = name.replace("-", "_")
        figures |= {f"b_{plain}_wall_s": m["wall_s"], f"b_{plain}_cpu_s": m["cpu_s"]}
        if m["generation_tokens"] != agents * turns * REPLY_TOKENS:
            wanted = agents * turns * REPLY_TOKENS
            print(f"{name}: {m['generation_tokens']:,.0f} tokens were written, and {wanted:,} were to be")
    if raw and "crewgraph" in best:
        figures["b_wall_x"] = best["crewgraph"]["wall_s"] / raw["wall_s"]
        figures["b_cpu_x"] = best["crewgraph"]["cpu_s"] / raw["cpu_s"]
        print(
            f"wall × raw {figures['b_wall_x']:.3f} (bar 1.05), CPU × raw {figures['b_cpu_x']:.2f} (bar 2.5)"
        )
    return figures


def _shares_told(shares: dict[str, list[dict[str, float]]]) -> Figures:
    best = {name: medians(runs) for name, runs in shares.items()}
    table(
        "(d) prefix cache: share of prompt tokens that were not computed again; medians",
        ("client", "hit share", "allowed", "of allowed", "allowed without the last reply", "of that"),
        [
            (n, m["share"], m["allowed"], m["share"] / m["allowed"], m["prompts"], m["share"] / m["prompts"])
            for n, m in best.items()
        ],
    )
    figures: Figures = {}
    if "crewgraph" in best:
        m = best["crewgraph"]
        figures = {
            "d_hit_share": m["share"],
            "d_allowed": m["allowed"],
            "d_of_allowed": m["share"] / m["allowed"],
        }
        print(f"of what the workload allows: {figures['d_of_allowed']:.3f} (bar 0.95)")
    return figures


def allowed_share(
    server: Server, said: list[list[str]], agents: int, turns: int, salt: str
) -> dict[str, float]:
    """What a cache of whole blocks could give at most, of all prompt tokens.

    `allowed`: the briefing once for all, and for each agent all that went before its new turn, replies included.
    `prompts` counts only what an earlier prompt held: tokens of a reply are found again only where its text, read
    back, is cut into the same tokens that were written.
    """
    block = server.block_tokens()
    total = allowed = prompts = 0
    first: list[int] | None = None
    for number in range(agents):
        asked = turns_of(number, turns, salt)
        messages: list[dict[str, Any]] = [{"role": "system", "content": system_prompt(salt)}]
        before: list[int] = []
        for turn in range(turns):
            known = server.tokens_of(messages, prompt=False) if turn else []
            messages.append({"role": "user", "content": asked[turn]})
            tokens = server.tokens_of(messages, prompt=True)
            total += len(tokens)
            if first is None:
                first = tokens
            else:
                best, seen = max(known, first, key=lambda t: _common(t, tokens)), before or first
                limit = len(tokens) - 1  # the last token of a prompt is always computed
                allowed += min(_common(best, tokens), limit) // block * block
                prompts += min(_common(seen, tokens), limit) // block * block
            before = tokens
            messages.append({"role": "assistant", "content": said[number][turn].strip()})
    return {"allowed": allowed / total, "prompts": prompts / total}


def _common(one: list[int], other: list[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
