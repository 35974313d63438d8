"""Owns how busy an engine says it is, read from its own metrics page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

_RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing")
_WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred")
_CACHE = (
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio",
)
_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Load:
    """An engine's requests, running and waiting for a seat, whoever sent them, and the share of its cache in use."""

    running: int = 0
    waiting: int = 0
    cache_used: float = 0.0


_NO_LOAD = Load()

Watch = Callable[[], Awaitable[Load]]
"""Finds out how busy an engine is now. May raise `EngineError`, `OSError`, `TimeoutError` or `ValueError`: then nobody knows."""


def load_of(page: str) -> Load:
    """The load on a Prometheus page of vLLM, SGLang or llama.cpp; the sum over its engines, and the fullest cache."""
    running = waiting = cache = 0.0
    for line in page.splitlines():
        if line.startswith("#") or " " not in line:
            continue
        series, _, value = line.rpartition(" ")
        name = series.partition("{")[0]
        if name in _RUNNING:
            running += float(value)
        elif name in _WAITING:
            waiting += float(value)
        elif name in _CACHE:
            cache = max(cache, float(value))
    return Load(int(running), int(waiting), cache)


class HasMetrics(Protocol):
    """A client that can read its engine's metrics page; "" where there is none."""

    async def metrics(self) -> str:
        """The page."""
        ...


def metrics_of(client: HasMetrics) -> Watch:
    """A watch that reads the engine's metrics page through its client, and no more once it has been told of none."""
    there = True

    async def watch() -> Load:
        nonlocal there
        if not there:
            return _NO_LOAD
        async with asyncio.timeout(_TIMEOUT_S):
            page = await client.metrics()
        there = bool(page)
        return load_of(page)

    return watch
