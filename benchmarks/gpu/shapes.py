"""(e) What a token costs under a schema, by the schema's shape and the server's backend for structured output."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import Any

from _report import Figures, table

from .children import Children
from .server import NAME, Server
from .work import body, text

STREAMS = 32
_TOKENS = 128
_KINDS = ("free", "enums", "lengths", "open")
_SAID = {
    "free": "no schema",
    "enums": "only choices",
    "lengths": "strings with maxLength",
    "open": "the same, maxLength dropped",
}


def schema(kind: str) -> dict[str, Any]:
    """A decision of an agent, in one of three shapes."""
    tool = {"type": "string", "enum": ["search", "calculator", "write_file", "delegate", "finish"]}
    if kind == "enums":
        next_step = {"type": "string", "enum": ["plan", "code", "test"]}
        properties: dict[str, Any] = {
            "tool": tool,
            "agent": {"type": "string", "enum": ["planner", "coder", "critic"]},
            "k": {"type": "integer", "enum": [1, 2, 5, 10]},
            "urgent": {"type": "boolean"},
            "next": {"type": "array", "items": next_step, "minItems": 1, "maxItems": 3},
        }
    else:

        def words(most: int) -> dict[str, Any]:
            return {"type": "string", "maxLength": most} if kind == "lengths" else {"type": "string"}

        properties = {
            "tool": tool,
            "query": words(60),
            "k": {"type": "integer", "minimum": 1, "maximum": 20},
            "reason": words(80),
            "tags": {"type": "array", "items": words(12), "maxItems": 3},
        }
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


async def written(name: str, url: str, rounds: int, salt: str) -> dict[str, Any]:
    """Replies of one shape over a bare client: milliseconds a token while 32 streams are written."""
    import aiohttp

    costs: list[float] = []
    first: list[float] = []
    whole = broken = 0
    more: dict[str, Any] = {}
    if name != "free":
        form = {"name": "decision", "schema": schema(name), "strict": True}
        more = {"response_format": {"type": "json_schema", "json_schema": form}, "ignore_eos": False}
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=180)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(seed: str) -> None:
            nonlocal whole, broken
            asked = f"Decide the next tool call and answer in JSON. Task: find {text(seed, 30)}"
            data = body(NAME, [{"role": "user", "content": asked}], _TOKENS, **more)
            said: list[str] = []
            tokens, rest, reason = 0, b"", ""
            began = started = ended = time.perf_counter()
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/v1/chat/completions", data=data, headers=headers) as response:
                response.raise_for_status()
                async for piece in response.content.iter_any():
                    *events, rest = (rest + piece).split(b"\n\n")
                    for event in events:
                        if not event.startswith(b"data: {"):
                            continue
                        found = json.loads(event[6:])
                        if found["choices"]:
                            words = found["choices"][0]["delta"].get("content")
                            reason = found["choices"][0].get("finish_reason") or reason
                            ended = time.perf_counter()
                            started = ended if words and not said else started
                            said += [words] if words else []
                        elif found.get("usage"):
                            tokens = found["usage"]["completion_tokens"]
            if tokens > 1:
                costs.append(1000 * (ended - started) / (tokens - 1))
            first.append(started - began)
            try:
                json.loads("".join(said))
                whole += 1
            except ValueError:
                broken += reason == "stop"

        async def stream(number: int) -> None:
            for turn in range(rounds):
                await one(f"{salt}/{number}/{turn}")

        await one(f"warm {salt}")
        costs.clear()
        first.clear()
        whole = broken = 0
        await asyncio.gather(*(stream(number) for number in range(STREAMS)))
    return {
        "ms_per_token": statistics.median(costs),
        "first_s": statistics.median(first),
        "whole": whole,
        "broken": broken,
        "replies": STREAMS * rounds,
    }


def compare(server: Server, children: Children, *, backend: str, rounds: int) -> Figures:
    """Every shape, one after the other, on this server."""
    figures: Figures = {}
    rows = []
    for kind in _KINDS:
        server.rest()
        salt = f"{backend}/{kind}"
        came = children.tried("shapes", kind, url=server.url, rounds=rounds, salt=salt)
        if came is None:
            continue
        figures[f"e_{backend}_{kind}_ms_per_token"] = came["ms_per_token"]
        whole = f"{came['whole']}/{came['replies']}" if kind != "free" else ""
        rows.append((_SAID[kind], came["ms_per_token"], came["first_s"], whole, came["broken"]))
    table(
        f"(e) {STREAMS} streams under a schema, backend {backend}",
        ("shape", "ms/token", "first token s", "whole JSON", "broken and called done"),
        rows,
    )
    return figures
