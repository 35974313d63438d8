"""Owns how busy an engine says it is, read from its own metrics page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

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


Watch = Callable[[], Awaitable[Load]]
"""Finds out how busy an engine is now. May raise `OSError`, `TimeoutError` or `ValueError`: then nobody knows."""


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


def metrics_of(base_url: str) -> Watch:
    """A watch that reads ``/metrics`` beside the API at `base_url`, on a connection of its own each time."""
    url = base_url.rstrip("/").removesuffix("/v1") + "/metrics"

    async def watch() -> Load:
        import aiohttp  # on use: importing it takes longer than all of crewgraph

        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session,
                session.get(url) as response,
            ):
                if response.status != 200:
                    raise OSError(f"{url} answers {response.status}")
                return load_of(await response.text())
        except aiohttp.ClientError as error:
            raise OSError(f"{url} cannot be read: {error}") from error

    return watch
