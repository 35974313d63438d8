"""Owns asking an engine on this machine a short question over HTTP: is it well, and how busy is it?

Without an HTTP library: the daemon that asks every few seconds stays small.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass

KEY_VARIABLE = "CREWGRAPH_ENGINE_KEY"
"""The key that engines which crewgraph starts ask for; none where it is not set."""

_LINE = re.compile(rb"^(?P<name>[a-z_]+:[a-z_]+)(?:\{.*\})? (?P<value>\S+)\s*$", re.MULTILINE)
_MOST_BYTES = 4 * 1024 * 1024


async def healthy(port: int, within_s: float) -> bool:
    """Whether the engine on that port of this machine says that it is well."""
    return await _get(port, "/health", within_s) is not None


@dataclass(frozen=True, slots=True)
class Load:
    """How busy an engine is: requests that it answers, requests that wait, the share of its KV cache that is in use.

    None stands for what this engine does not tell.
    """

    running: int | None = None
    waiting: int | None = None
    kv_cache: float | None = None


async def load(port: int, within_s: float) -> Load:
    """How busy the engine on that port is; knows nothing where it does not answer."""
    return load_of(await _get(port, "/metrics", within_s) or b"")


def load_of(metrics: bytes) -> Load:
    """What the text of ``/metrics`` says, of vLLM or llama.cpp. Several engines behind one port count together."""
    sums: dict[bytes, float] = {}
    lines: dict[bytes, int] = {}
    for found in _LINE.finditer(metrics):
        try:
            value = float(found["value"])
        except ValueError:
            continue
        sums[found["name"]] = sums.get(found["name"], 0.0) + value
        lines[found["name"]] = lines.get(found["name"], 0) + 1

    def total(*names: bytes) -> float | None:
        return next((sums[name] for name in names if name in sums), None)

    running = total(b"vllm:num_requests_running", b"llamacpp:requests_processing")
    waiting = total(b"vllm:num_requests_waiting", b"llamacpp:requests_deferred")
    used = total(b"vllm:kv_cache_usage_perc", b"llamacpp:kv_cache_usage_ratio")
    engines = lines.get(b"vllm:kv_cache_usage_perc", 1)
    return Load(
        None if running is None else int(running),
        None if waiting is None else int(waiting),
        None if used is None else used / engines,
    )


async def _get(port: int, path: str, within_s: float) -> bytes | None:
    """The body of the answer 200; None when there is no such answer in time."""
    key = os.environ.get(KEY_VARIABLE)
    secret = f"Authorization: Bearer {key}\r\n" if key else ""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MOST_BYTES)
            try:
                head = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n{secret}\r\n"
                writer.write(head.encode("latin-1"))
                answer = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    status, _, rest = answer.partition(b"\r\n")
    if status.split(b" ")[1:2] != [b"200"]:
        return None
    return rest.partition(b"\r\n\r\n")[2]
